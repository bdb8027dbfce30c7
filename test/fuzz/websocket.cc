// Frames of RFC 6455 (net/websocket_codec.h), whole and in pieces.
#include "net/websocket_codec.h"
#include "test/fuzz/target.h"

namespace tidings::fuzz {
namespace {

using namespace net;
using Kind = WebSocketEvent::Kind;

constexpr size_t message_bytes_max = 512;

class Reading {
 public:
  explicit Reading(WebSocketRole role) : decoder_(role, message_bytes_max) {}
  void give(std::string_view piece) {
    std::string copy(piece);
    std::span<char> in(copy);
    for (;;) {
      const auto event = decoder_.next(in);
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
  std::string told_;
  std::vector<std::string> messages_;
  bool ended_ = false;
};

}  // namespace

void feed(std::string_view bytes) {
  Dice dice(bytes);
  const auto role = dice.byte() % 2 ? WebSocketRole::client : WebSocketRole::server;
  const uint8_t way = dice.byte();
  Reading whole(role), pieces(role);
  whole.give(dice.rest());
  in_pieces(dice.rest(), way, [&](std::string_view piece) { pieces.give(piece); });
  must(whole.told() == pieces.told(), "frames are the same whole and in pieces");

  std::string written;
  for (const auto& message : whole.messages()) {
    append_frame(written, WebSocketOpcode::text, message,
                 role == WebSocketRole::server ? std::optional<uint32_t>(0x01020304u * way) : std::nullopt);
  }
  Reading again(role);
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
  }
  return out;
}

}  // namespace tidings::fuzz
