#include "net/proxy_protocol.h"

#include <algorithm>
#include <vector>

namespace tidings::net {

namespace {

using Progress = ProxyHeader::Progress;

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t fixed_bytes = 16;

// A node of RFC 7239: an address, an IPv6 one in brackets, either perhaps with a port.
std::optional<Address> parse_node(std::string_view text) {
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"'))
    text = text.substr(1, text.size() - 2);
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    return end == text.npos ? std::nullopt : Address::parse(text.substr(1, end - 1));
  }
  if (std::ranges::count(text, ':') == 1) text = text.substr(0, text.find(':'));
  return Address::parse(text);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

// The parts between separators, without the spaces around them.
std::vector<std::string_view> parts(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (;;) {
    const size_t end = std::min(text.find(separator), text.size());
    std::string_view part = text.substr(0, end);
    while (!part.empty() && (part.front() == ' ' || part.front() == '\t')) part.remove_prefix(1);
    while (!part.empty() && (part.back() == ' ' || part.back() == '\t')) part.remove_suffix(1);
    out.push_back(part);
    if (end == text.size()) return out;
    text.remove_prefix(end + 1);
  }
}

// All hops named by the headers of one name, the first hop first.
std::vector<std::optional<Address>> hops(const HttpHeaders& headers, std::string_view name, bool with_keys) {
  std::vector<std::optional<Address>> out;
  for (const auto& [key, value] : headers) {
    if (!same_name(key, name)) continue;
    for (const std::string_view element : parts(value, ',')) {
      if (!with_keys) {
        out.push_back(parse_node(element));
        continue;
      }
      std::optional<Address> client;
      for (const std::string_view pair : parts(element, ';')) {
        constexpr std::string_view key_for = "for=";
        if (same_name(pair.substr(0, key_for.size()), key_for))
          client = parse_node(pair.substr(key_for.size()));
      }
      out.push_back(client);
    }
  }
  return out;
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  const size_t known = std::min(bytes.size(), signature.size());
  if (bytes.substr(0, known) != signature.substr(0, known)) return {};
  if (bytes.size() < fixed_bytes) return {Progress::more, fixed_bytes, {}};
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const unsigned version = at(12) >> 4;
  const unsigned command = at(12) & 0x0f;
  const unsigned family = at(13) >> 4;
  const size_t body_bytes = size_t{at(14)} << 8 | at(15);
  const size_t total = fixed_bytes + body_bytes;
  if (version != 2 || command > 1 || family > 3 || (at(13) & 0x0f) > 2 || total > proxy_header_bytes_max)
    return {};
  constexpr size_t v4_bytes = 12;  // two addresses, two ports
  constexpr size_t v6_bytes = 36;
  if ((family == 1 && body_bytes < v4_bytes) || (family == 2 && body_bytes < v6_bytes)) return {};
  if (bytes.size() < total) return {Progress::more, total, {}};
  ProxyHeader header{Progress::complete, total, {}};
  const auto* const body = reinterpret_cast<const uint8_t*>(bytes.data()) + fixed_bytes;
  if (command == 1 && family == 1) header.client = Address(std::span(body, size_t{4}));
  if (command == 1 && family == 2) header.client = Address(std::span(body, size_t{16}));
  return header;
}

Address forwarded_client(const HttpHeaders& headers, const Address& peer, const AddressList& believed,
                         ForwardedBy by) {
  const bool standard = by == ForwardedBy::forwarded;
  const auto named = hops(headers, standard ? "forwarded" : "x-forwarded-for", standard);
  Address client = peer;
  // Each proxy appends whom it heard from; what somebody who is not believed wrote further in front counts
  // for nothing.
  for (size_t i = named.size(); i-- > 0 && believed.contains(client);) {
    if (!named[i]) break;
    client = *named[i];
  }
  return client;
}

}  // namespace tidings::net
