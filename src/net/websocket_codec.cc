#include "net/websocket_codec.h"

#include <algorithm>
#include <cstring>

#include <simdjson.h>

#include "net/websocket_deflate.h"

namespace tidings::net {

namespace {

using Kind = WebSocketEvent::Kind;

constexpr uint8_t opcode_of(WebSocketOpcode opcode) {
  return static_cast<uint8_t>(opcode);
}
bool is_control(uint8_t opcode) {
  return opcode >= 8;
}

uint64_t big_endian(std::string_view bytes) {
  uint64_t n = 0;
  for (const char c : bytes) n = n << 8 | static_cast<uint8_t>(c);
  return n;
}

bool valid_close_code(uint64_t code) {
  if (code >= 3000) return code < 5000;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

// Whether more bytes can make these one character (RFC 3629): its first byte, and its second if there is one.
bool begins_character(std::string_view bytes) {
  const auto first = static_cast<uint8_t>(bytes[0]);
  if (first < 0xc2 || first > 0xf4) return false;
  if (bytes.size() < 2) return true;
  const auto second = static_cast<uint8_t>(bytes[1]);
  const uint8_t from = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t to = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  return second >= from && second <= to;
}

// How many bytes at the end belong to a character that is not complete yet: 0 to 3.
size_t unfinished_bytes(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<uint8_t>(text[text.size() - back]);
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const size_t length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return length > back && begins_character(text.substr(text.size() - back)) ? back : 0;
  }
  return 0;
}

bool valid_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace

WebSocketEvent WebSocketDecoder::next(std::span<char>& in, WebSocketDeflate* deflate) {
  // What the last event's payload pointed to.
  if (message_given_) pieces_->message = {};
  if (partial_given_) pieces_->partial = {};
  message_given_ = partial_given_ = false;
  if (pieces_ && pieces_->message.empty() && pieces_->partial.empty() && !in_message_) pieces_.reset();
  while (!ended_ && !in.empty()) {
    if (const auto event = frame(in, deflate)) return *event;
    // A non-final fragment was added; its bytes are not needed any more.
    if (partial_given_) pieces_->partial = {};
    partial_given_ = false;
  }
  if (ended_) in = {};
  return {};
}

std::optional<WebSocketEvent> WebSocketDecoder::frame(std::span<char>& in, WebSocketDeflate* deflate) {
  Header header;
  if (!pieces_ || pieces_->partial.empty()) {
    if (const auto violation = read_header({in.data(), in.size()}, header, deflate != nullptr))
      return violation;
    if (header.header_bytes != 0 && header.payload_bytes <= in.size() - header.header_bytes) {
      const auto bytes = in.first(header.header_bytes + header.payload_bytes);
      in = in.subspan(bytes.size());
      return take_frame(header, bytes, deflate);
    }
    pieces().partial.assign(in.data(), in.size());
    in = {};
    return std::nullopt;
  }
  std::string& partial = pieces_->partial;
  // The header first, a byte at a time, so that nothing of the next frame is taken.
  for (;;) {
    header = {};
    if (const auto violation = read_header(partial, header, deflate != nullptr)) return violation;
    if (header.header_bytes != 0) break;
    if (in.empty()) return std::nullopt;
    partial.push_back(in.front());
    in = in.subspan(1);
  }
  const size_t missing = header.header_bytes + header.payload_bytes - partial.size();
  const auto taken = in.first(std::min(missing, in.size()));
  partial.append(taken.data(), taken.size());
  in = in.subspan(taken.size());
  if (taken.size() < missing) return std::nullopt;
  partial_given_ = true;
  return take_frame(header, partial, deflate);
}

std::optional<WebSocketEvent> WebSocketDecoder::read_header(std::string_view bytes, Header& header,
                                                            bool deflate) {
  if (bytes.empty()) return std::nullopt;
  const auto first = static_cast<uint8_t>(bytes[0]);
  header.fin = (first & 0x80) != 0;
  header.opcode = first & 0x0f;
  header.compressed = (first & 0x40) != 0;
  const bool begins = header.opcode == opcode_of(WebSocketOpcode::text) ||
                      header.opcode == opcode_of(WebSocketOpcode::binary);
  if ((first & 0x30) != 0 || (header.compressed && !(deflate && begins)))
    return fail(1002, "reserved bits are set");
  if (header.opcode > 10 || (header.opcode > 2 && header.opcode < 8)) return fail(1002, "unknown opcode");
  if (header.opcode == opcode_of(WebSocketOpcode::binary) && !takes_binary_)
    return fail(1003, "only text is taken");
  if (is_control(header.opcode)) {
    if (!header.fin) return fail(1002, "fragmented control frame");
  } else if (in_message_ != (header.opcode == opcode_of(WebSocketOpcode::continuation))) {
    return fail(1002, in_message_ ? "a new message inside another" : "continuation of nothing");
  }
  if (bytes.size() < 2) return std::nullopt;

  const auto second = static_cast<uint8_t>(bytes[1]);
  header.masked = (second & 0x80) != 0;
  if (header.masked != (role_ == WebSocketRole::server)) {
    return fail(1002, header.masked ? "a server's frame is masked" : "a client's frame is not masked");
  }
  const uint8_t short_length = second & 0x7f;
  if (is_control(header.opcode) && short_length > 125) return fail(1002, "too long a control frame");
  const size_t length_bytes = short_length < 126 ? 0 : short_length == 126 ? 2 : 8;
  header.payload_bytes = short_length;
  if (length_bytes != 0) {
    if (bytes.size() < 2 + length_bytes) return std::nullopt;
    header.payload_bytes = big_endian(bytes.substr(2, length_bytes));
    const uint64_t least = length_bytes == 2 ? 126 : 65536;
    if (header.payload_bytes < least || header.payload_bytes >> 63 != 0) return fail(1002, "bad length");
  }
  if (!is_control(header.opcode) &&
      header.payload_bytes > message_bytes_max_ - (pieces_ ? pieces_->message.size() : 0)) {
    return fail(1009, "too large a message");
  }
  const size_t header_bytes = 2 + length_bytes + (header.masked ? 4 : 0);
  if (bytes.size() >= header_bytes) header.header_bytes = header_bytes;
  return std::nullopt;
}

std::optional<WebSocketEvent> WebSocketDecoder::take_frame(const Header& header, std::span<char> bytes,
                                                           WebSocketDeflate* deflate) {
  const auto body = bytes.subspan(header.header_bytes);
  if (header.masked) {
    uint32_t mask;
    std::memcpy(&mask, bytes.data() + header.header_bytes - sizeof mask, sizeof mask);
    apply_mask(body, mask);
  }
  const std::string_view payload(body.data(), body.size());
  switch (static_cast<WebSocketOpcode>(header.opcode)) {
    case WebSocketOpcode::ping:
      return WebSocketEvent{Kind::ping, 0, payload};
    case WebSocketOpcode::pong:
      return WebSocketEvent{Kind::pong, 0, payload};
    case WebSocketOpcode::close:
      return take_close(payload);
    default:
      break;
  }
  if (!in_message_) {
    binary_ = header.opcode == opcode_of(WebSocketOpcode::binary);
    compressed_ = header.compressed;
  }
  if (in_message_ || !header.fin) return take_fragment(header, payload, deflate);
  if (compressed_) return take_compressed(payload, *deflate);
  if (!binary_ && !valid_utf8(payload)) return fail(1007, "not UTF-8");
  return WebSocketEvent{Kind::message, 0, payload, binary_};
}

std::optional<WebSocketEvent> WebSocketDecoder::take_fragment(const Header& header, std::string_view payload,
                                                              WebSocketDeflate* deflate) {
  std::string& message = pieces().message;
  message.append(payload);
  in_message_ = !header.fin;
  if (compressed_) {
    // Inflating waits for the whole, because the state is everybody's.
    if (!header.fin) return std::nullopt;
    message_given_ = true;
    return take_compressed(message, *deflate);
  }
  // Each fragment is checked as far as its characters are complete, so that bad text fails before its end.
  const std::string_view unchecked = std::string_view(message).substr(valid_bytes_);
  const size_t checkable = unchecked.size() - (header.fin ? 0 : unfinished_bytes(unchecked));
  if (!binary_ && !valid_utf8(unchecked.substr(0, checkable))) return fail(1007, "not UTF-8");
  valid_bytes_ += static_cast<uint32_t>(checkable);
  if (!header.fin) return std::nullopt;
  message_given_ = true;
  valid_bytes_ = 0;
  return WebSocketEvent{Kind::message, 0, message, binary_};
}

WebSocketEvent WebSocketDecoder::take_compressed(std::string_view payload, WebSocketDeflate& deflate) {
  using Inflated = WebSocketDeflate::Inflated::Kind;
  const auto [kind, message] = deflate.inflate(payload, message_bytes_max_);
  if (kind == Inflated::too_large) return fail(1009, "too large a message");
  if (kind == Inflated::broken) return fail(1007, "broken compression");
  if (!binary_ && !valid_utf8(message)) return fail(1007, "not UTF-8");
  return {Kind::message, 0, message, binary_};
}

WebSocketEvent WebSocketDecoder::take_close(std::string_view payload) {
  if (payload.empty()) {
    ended_ = true;
    return {Kind::close, 1005, {}};
  }
  if (payload.size() == 1) return fail(1002, "half a close code");
  const uint64_t code = big_endian(payload.substr(0, 2));
  if (!valid_close_code(code)) return fail(1002, "bad close code");
  const std::string_view reason = payload.substr(2);
  if (!valid_utf8(reason)) return fail(1007, "close reason is not UTF-8");
  ended_ = true;
  return {Kind::close, static_cast<uint16_t>(code), reason};
}

WebSocketEvent WebSocketDecoder::fail(uint16_t code, std::string_view reason) {
  ended_ = true;
  if (pieces_) pieces_->message = {};
  return {Kind::violation, code, reason};
}

void append_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload,
                  std::optional<uint32_t> mask, bool compressed) {
  char header[14];
  size_t size = 2;
  header[0] = static_cast<char>(0x80 | (compressed ? 0x40 : 0) | opcode_of(opcode));
  const auto mask_bit = static_cast<uint8_t>(mask ? 0x80 : 0);
  if (payload.size() < 126) {
    header[1] = static_cast<char>(mask_bit | payload.size());
  } else {
    const int length_bytes = payload.size() < 65536 ? 2 : 8;
    header[1] = static_cast<char>(mask_bit | (length_bytes == 2 ? 126 : 127));
    for (int i = length_bytes - 1; i >= 0; --i)
      header[size++] = static_cast<char>(uint64_t{payload.size()} >> (8 * i));
  }
  if (mask) {
    std::memcpy(header + size, &*mask, sizeof *mask);
    size += sizeof *mask;
  }
  out.append(header, size);
  out.append(payload);
  if (mask) apply_mask(std::span(out).last(payload.size()), *mask);
}

std::string close_payload(uint16_t code, std::string_view reason) {
  if (code == 1005) return {};
  constexpr size_t reason_bytes_max = 123;
  if (reason.size() > reason_bytes_max) {
    reason = reason.substr(0, reason_bytes_max);
    reason.remove_suffix(unfinished_bytes(reason));
  }
  std::string payload;
  payload.push_back(static_cast<char>(code >> 8));
  payload.push_back(static_cast<char>(code));
  payload.append(reason);
  return payload;
}

void apply_mask(std::span<char> bytes, uint32_t mask) {
  const uint64_t wide = uint64_t{mask} << 32 | mask;
  size_t i = 0;
  for (; i + sizeof wide <= bytes.size(); i += sizeof wide) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    word ^= wide;
    std::memcpy(bytes.data() + i, &word, sizeof word);
  }
  for (; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(bytes[i] ^ static_cast<char>(mask >> (8 * (i % 4))));
}

}  // namespace tidings::net
