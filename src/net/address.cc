#include "net/address.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace tidings::net {

namespace {

constexpr std::array<uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

Address::Address(const sockaddr_storage& from) {
  const auto* const v4 = reinterpret_cast<const sockaddr_in*>(&from);
  const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(&from);
  if (from.ss_family == AF_INET)
    *this = Address(std::span(reinterpret_cast<const uint8_t*>(&v4->sin_addr), size_t{4}));
  if (from.ss_family == AF_INET6) *this = Address(std::span(v6->sin6_addr.s6_addr));
}

Address::Address(std::span<const uint8_t> bytes) {
  if (bytes.size() == 16 && std::ranges::equal(bytes.first(mapped_prefix.size()), mapped_prefix))
    bytes = bytes.subspan(mapped_prefix.size());
  if (bytes.size() != 4 && bytes.size() != 16) return;
  std::ranges::copy(bytes, bytes_.begin());
  size_ = static_cast<uint8_t>(bytes.size());
}

std::optional<Address> Address::parse(std::string_view text) {
  const std::string terminated(text);
  std::array<uint8_t, 16> bytes;
  if (::inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) return Address(std::span(bytes).first(4));
  if (::inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return Address(bytes);
  return std::nullopt;
}

std::string Address::text() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (size_ != 0) ::inet_ntop(size_ == 4 ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

std::optional<AddressList> AddressList::parse(std::string_view text) {
  AddressList list;
  if (trimmed(text).empty()) return list;
  for (;;) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = trimmed(text.substr(0, comma));
    const size_t slash = std::min(item.find('/'), item.size());
    const auto first = Address::parse(item.substr(0, slash));
    if (!first) return std::nullopt;
    size_t bits = first->bytes().size() * 8;
    if (slash < item.size()) {
      const std::string_view digits = item.substr(slash + 1);
      const size_t bits_max = bits;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
      if (error != std::errc() || end != digits.data() + digits.size() || bits > bits_max)
        return std::nullopt;
    }
    list.blocks_.push_back({*first, bits});
    if (comma == text.size()) return list;
    text.remove_prefix(comma + 1);
  }
}

bool AddressList::contains(const Address& address) const {
  const auto bytes = address.bytes();
  return std::ranges::any_of(blocks_, [&](const Block& block) {
    const auto first = block.first.bytes();
    if (bytes.empty() || bytes.size() != first.size()) return false;
    const size_t whole = block.bits / 8;
    const size_t rest = block.bits % 8;
    if (!std::ranges::equal(bytes.first(whole), first.first(whole))) return false;
    return rest == 0 || (bytes[whole] ^ first[whole]) >> (8 - rest) == 0;
  });
}

}  // namespace tidings::net
