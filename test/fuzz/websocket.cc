// Frames of RFC 6455 (net/websocket_codec.h), whole and in pieces; compressed as in RFC 7692, and the offers
// for that (net/websocket_deflate.h).
#include "net/websocket_codec.h"
#include "net/websocket_deflate.h"
#include "test/fuzz/target.h"

namespace tidings::fuzz {
namespace {

using namespace net;
using Kind = WebSocketEvent::Kind;

constexpr size_t message_bytes_max = 512;

// `deflate`: if compression was agreed on.
class Reading {
 public:
  Reading(WebSocketRole role, WebSocketDeflate* deflate)
      : decoder_(role, message_bytes_max), deflate_(deflate) {}
  void give(std::string_view piece) {
    std::string copy(piece);
    std::span<char> in(copy);
    for (;;) {
      const auto event = decoder_.next(in, deflate_);
      must(in.size() <= copy.size(), "bytes are only taken");
      if (event.kind == Kind::more) break;
      must(!ended_, "nothing comes behind an end");
      must(event.payload.size() <= (event.kind == Kind::message ? message_bytes_max : 125),
           "a payload has a limit");
      ended_ = event.kind == Kind::close || event.kind == Kind::violation;
      told_ += std::to_string(static_cast<int>(event.kind)) + " " + std::to_string(event.code) + " ";
      told_ += std::string(event.payload) + "\n";
      if (event.kind == Kind::message) messages_.emplace_back(event.payload);
    }
    must(in.empty(), "more means that all was taken");
  }
  const std::string& told() const { return told_; }
  const std::vector<std::string>& messages() const { return messages_; }

 private:
  WebSocketDecoder decoder_;
  WebSocketDeflate* const deflate_;
  std::string told_;
  std::vector<std::string> messages_;
  bool ended_ = false;
};

void feed_offers(std::string_view offers) {
  const auto agreement = agree_on_deflate(offers);
  if (!agreement) return;
  must(offers.find("permessage-deflate") != offers.npos, "nothing is agreed on that was not offered");
  must(agreement->window_bits >= 8 && agreement->window_bits <= 15, "a window has a size");
  const auto again = agree_on_deflate(agreement->answer);
  must(again && again->answer == agreement->answer, "the answer is an offer that is answered by itself");
}

}  // namespace

void feed(std::string_view bytes) {
  Dice dice(bytes);
  const uint8_t mode = dice.byte();
  const auto role = mode % 2 ? WebSocketRole::client : WebSocketRole::server;
  const uint8_t way = dice.byte();
  feed_offers(dice.rest());
  // One for all, and for all inputs, as one of a thread is: what was before must not be seen.
  static WebSocketDeflate all;
  WebSocketDeflate* const deflate = mode & 2 ? &all : nullptr;
  Reading whole(role, deflate), pieces(role, deflate);
  whole.give(dice.rest());
  in_pieces(dice.rest(), way, [&](std::string_view piece) { pieces.give(piece); });
  must(whole.told() == pieces.told(), "frames are the same whole and in pieces");

  std::string written;
  for (const auto& message : whole.messages()) {
    const auto mask =
        role == WebSocketRole::server ? std::optional<uint32_t>(0x01020304u * way) : std::nullopt;
    const size_t payload_bytes_max = std::min(message_bytes_max, message.size() + message.size() / 16 + 64);
    const auto payload = deflate
                             ? deflate->deflate(message, static_cast<uint8_t>(8 + way % 8), payload_bytes_max)
                             : std::nullopt;
    must(payload || !deflate || message.size() > message_bytes_max - 100,
         "all but long noise can be compressed");
    must(!payload || payload->size() <= payload_bytes_max,
         "what is compressed has the size that was asked for");
    append_frame(written, WebSocketOpcode::text, payload.value_or(message), mask, payload.has_value());
  }
  Reading again(role, deflate);
  in_pieces(written, way, [&](std::string_view piece) { again.give(piece); });
  must(again.messages() == whole.messages(), "messages that are written are read as the same");

  const auto reason = close_payload(1000, dice.rest().substr(0, 200));
  must(reason.size() <= 125, "a close frame is a control frame");
}

std::vector<std::string> seeds() {
  using enum WebSocketOpcode;
  std::vector<std::string> out;
  for (const std::optional<uint32_t> mask :
       {std::optional<uint32_t>(0), std::optional<uint32_t>(0x12345678), std::optional<uint32_t>()}) {
    const std::string head{mask ? '\0' : '\1', '\5'};
    const auto frame = [&](WebSocketOpcode opcode, std::string_view payload, bool fin = true) {
      std::string bytes;
      append_frame(bytes, opcode, payload, mask);
      if (!fin) bytes[0] = static_cast<char>(bytes[0] & 0x7f);
      return bytes;
    };
    out.push_back(head + frame(text, "hello") + frame(text, "") + frame(text, std::string(300, 'x')));
    out.push_back(head + frame(text, "h\xc3", false) + frame(ping, "p") + frame(continuation, "\xbc", false) +
                  frame(continuation, "!"));
    out.push_back(head + frame(ping, std::string(125, 'p')) + frame(pong, "") +
                  frame(close, close_payload(1000, "done")) + frame(text, "late"));
    out.push_back(head + frame(close, ""));
    out.push_back(head + frame(close, "\x03"));
    out.push_back(head + frame(text, "\xff\xfe"));
    out.push_back(head + frame(binary, "b"));
    out.push_back(head + frame(text, "a", false) + frame(text, "b"));
    out.push_back(head + frame(text, std::string(400, 'x'), false) +
                  frame(continuation, std::string(200, 'y')));
    out.push_back(head + frame(text, std::string(70'000, 'x')).substr(0, 14));

    const std::string agreed{mask ? '\2' : '\3', '\5'};
    const auto compressed = [&](std::string_view payload, bool fin = true) {
      std::string bytes = frame(text, payload, fin);
      bytes[0] = static_cast<char>(bytes[0] | 0x40);
      return bytes;
    };
    WebSocketDeflate deflate;
    const auto shrunk = [&](const std::string& message) {
      return std::string(deflate.deflate(message, 15, message.size() + 100).value());
    };
    const std::string hello = shrunk("hello hello hello hello");
    out.push_back(agreed + compressed(hello) + frame(text, "plain") + compressed(std::string(1, '\0')));
    out.push_back(agreed + compressed(hello.substr(0, 4), false) + frame(ping, "p") +
                  frame(continuation, hello.substr(4, 2), false) + frame(continuation, hello.substr(6)));
    out.push_back(agreed + compressed(shrunk(std::string(500, 'x'))) + compressed(shrunk("\xc3\xbc")));
    out.push_back(agreed + compressed(shrunk(std::string(20'000, 'x'))) + frame(text, "late"));
    out.push_back(agreed + compressed(std::string("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8)));
    out.push_back(agreed + compressed(std::string("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11)));
    out.push_back(agreed + compressed(shrunk("\xff")) + compressed("broken"));
  }
  out.push_back("\2\5permessage-deflate; server_max_window_bits=9; client_max_window_bits, x; y=\"a,b\"");
  out.push_back(
      "\2\5permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
      "client_max_window_bits=\"10\"");
  return out;
}

}  // namespace tidings::fuzz
