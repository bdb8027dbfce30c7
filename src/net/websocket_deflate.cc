#include "net/websocket_deflate.h"

#include <algorithm>
#include <new>
#include <span>
#include <utility>
#include <vector>

#define ZLIB_CONST
#include <zlib.h>

namespace tidings::net {

namespace {

constexpr uint8_t window_bits_max = 15;
// A page of 76 KB in 0.6 ms to 29 %; zlib's usual 6 takes 1.6 ms to 26 %.
constexpr int level = 1;
constexpr int memory_level = 8;
constexpr size_t buffer_bytes_first = 4 * 1024;
constexpr size_t buffer_bytes_kept = 128 * 1024;
// The end of every compressed message, which does not travel.
constexpr std::string_view tail("\0\0\xff\xff", 4);

const Bytef* bytes_of(std::string_view text) {
  return reinterpret_cast<const Bytef*>(text.data());
}
Bytef* bytes_of(char* text) {
  return reinterpret_cast<Bytef*>(text);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The parts between marks that stand outside of quotes.
std::vector<std::string_view> split(std::string_view text, char mark) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (quoted && text[i] == '\\') ++i;
    if (i >= text.size() || quoted || text[i] != mark) continue;
    parts.push_back(trimmed(text.substr(begin, i - begin)));
    begin = i + 1;
  }
  parts.push_back(trimmed(text.substr(begin)));
  return parts;
}

// 8 to 15, perhaps in quotes; else 0.
uint8_t window_bits_of(std::string_view value) {
  if (value.size() > 2 && value.front() == '"' && value.back() == '"')
    value = value.substr(1, value.size() - 2);
  for (uint8_t bits = 8; bits <= window_bits_max; ++bits) {
    if (value == std::to_string(bits)) return bits;
  }
  return 0;
}

std::optional<DeflateAgreement> accept(std::string_view offer) {
  auto parts = split(offer, ';');
  if (parts.front() != "permessage-deflate") return std::nullopt;
  DeflateAgreement agreement{window_bits_max,
                             "permessage-deflate; server_no_context_takeover; client_no_context_takeover"};
  std::vector<std::string_view> seen;
  for (const auto part : std::span(parts).subspan(1)) {
    const size_t equals = part.find('=');
    const std::string_view name = trimmed(part.substr(0, equals));
    const bool has_value = equals != part.npos;
    const uint8_t bits = has_value ? window_bits_of(trimmed(part.substr(equals + 1))) : 0;
    if (std::ranges::find(seen, name) != seen.end()) return std::nullopt;
    seen.push_back(name);
    if (name == "server_max_window_bits" && bits != 0) {
      agreement.window_bits = bits;
      agreement.answer += "; server_max_window_bits=" + std::to_string(bits);
      continue;
    }
    // We inflate with the largest window there is, so what the client could do with less needs no answer.
    const bool known =
        name == "client_max_window_bits"
            ? !has_value || bits != 0
            : !has_value && (name == "server_no_context_takeover" || name == "client_no_context_takeover");
    if (!known) return std::nullopt;
  }
  return agreement;
}

void make_room(std::vector<char>& buffer, size_t bytes) {
  if (bytes <= buffer.size()) return;
  buffer.reserve(bytes);  // not a byte more
  buffer.resize(bytes);
}

}  // namespace

std::optional<DeflateAgreement> agree_on_deflate(std::string_view offers) {
  for (const auto offer : split(offers, ',')) {
    if (auto agreement = accept(offer)) return agreement;
  }
  return std::nullopt;
}

void WebSocketDeflate::EndInflater::operator()(z_stream_s* stream) const {
  ::inflateEnd(stream);
  delete stream;
}
void WebSocketDeflate::EndDeflater::operator()(z_stream_s* stream) const {
  ::deflateEnd(stream);
  delete stream;
}

WebSocketDeflate::WebSocketDeflate() = default;
WebSocketDeflate::~WebSocketDeflate() = default;

WebSocketDeflate::Inflated WebSocketDeflate::inflate(std::string_view payload, size_t message_bytes_max) {
  using Kind = Inflated::Kind;
  if (!inflater_) {
    decltype(inflater_) made(new z_stream{});
    if (::inflateInit2(made.get(), -window_bits_max) != Z_OK) throw std::bad_alloc();
    inflater_ = std::move(made);
  }
  if (inflated_.size() > buffer_bytes_kept) inflated_ = {};
  z_stream& z = *inflater_;
  ::inflateReset(&z);
  z.next_in = bytes_of(payload);
  z.avail_in = static_cast<uInt>(payload.size());
  bool tail_given = false;
  // One byte more than may be tells that it is too much.
  const size_t room_max = message_bytes_max + 1;
  for (size_t size = 0;;) {
    if (size == inflated_.size())
      make_room(inflated_, std::min(room_max, std::max(buffer_bytes_first, 2 * size)));
    const size_t room = std::min(inflated_.size(), room_max);
    z.next_out = bytes_of(inflated_.data() + size);
    z.avail_out = static_cast<uInt>(room - size);
    const int status = ::inflate(&z, Z_SYNC_FLUSH);
    size = room - z.avail_out;
    if (size > message_bytes_max) return {Kind::too_large, {}};
    const bool stuck = status == Z_BUF_ERROR && z.avail_in > 0;
    if (stuck || (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR))
      return {Kind::broken, {}};
    // After a block that says it is the last one others may follow (RFC 7692, 7.2.3.4).
    const bool ended = status == Z_STREAM_END;
    if (ended && (z.avail_in > 0 || !tail_given)) ::inflateReset(&z);
    if (z.avail_out == 0 || z.avail_in > 0) continue;
    if (!tail_given) {
      tail_given = true;
      z.next_in = bytes_of(tail);
      z.avail_in = static_cast<uInt>(tail.size());
      continue;
    }
    // 128: right behind a block. A message that was cut off waits for the rest of one.
    if (!ended && z.data_type != 128) return {Kind::broken, {}};
    return {Kind::whole, {inflated_.data(), size}};
  }
}

std::optional<std::string_view> WebSocketDeflate::deflate(std::string_view message, uint8_t window_bits,
                                                          size_t payload_bytes_max) {
  if (!deflater_) {
    decltype(deflater_) made(new z_stream{});
    if (::deflateInit2(made.get(), level, Z_DEFLATED, -window_bits_max, memory_level, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
      throw std::bad_alloc();
    }
    deflater_ = std::move(made);
  }
  if (deflated_.size() > buffer_bytes_kept) deflated_ = {};
  // One byte more, for zlib is not known to be ready before it leaves some room.
  const size_t room = payload_bytes_max + tail.size() + 1;
  make_room(deflated_, room);
  z_stream& z = *deflater_;
  ::deflateReset(&z);
  z.next_out = bytes_of(deflated_.data());
  z.avail_out = static_cast<uInt>(room);
  // zlib's window is the largest. For a peer with a smaller one the message is cut into pieces as large as
  // that, and nothing refers to what stands before its own piece.
  const size_t piece_bytes_max = window_bits == window_bits_max ? message.size() : size_t{1} << window_bits;
  do {
    const auto piece = message.substr(0, piece_bytes_max);
    message.remove_prefix(piece.size());
    z.next_in = bytes_of(piece);
    z.avail_in = static_cast<uInt>(piece.size());
    const int status = ::deflate(&z, message.empty() ? Z_SYNC_FLUSH : Z_FULL_FLUSH);
    if (status != Z_OK || z.avail_in > 0 || z.avail_out == 0) return std::nullopt;
  } while (!message.empty());
  return std::string_view(deflated_.data(), room - z.avail_out - tail.size());
}

}  // namespace tidings::net
