#include "net/websocket_codec.h"

#include <vector>

#include <gtest/gtest.h>

#include "net/websocket_deflate.h"

namespace tidings::net {
namespace {

using Kind = WebSocketEvent::Kind;
using Op = WebSocketOpcode;

struct Seen {
  Kind kind;
  uint16_t code;
  std::string payload;
  bool operator==(const Seen&) const = default;
};
void PrintTo(const Seen& seen, std::ostream* out) {
  *out << static_cast<int>(seen.kind) << ' ' << seen.code << " \"" << seen.payload.substr(0, 60) << '"';
}

// Feeds the bytes in pieces of the given size; each piece is its own allocation, so that ASan sees reads
// beyond it.
std::vector<Seen> decode(const std::string& bytes, size_t piece, WebSocketRole role = WebSocketRole::client,
                         size_t max = 1 << 20, WebSocketDeflate* deflate = nullptr) {
  WebSocketDecoder decoder(role, max, deflate != nullptr);
  std::vector<Seen> seen;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    std::vector<char> part(bytes.begin() + static_cast<ptrdiff_t>(at),
                           bytes.begin() + static_cast<ptrdiff_t>(std::min(bytes.size(), at + piece)));
    std::span<char> in(part);
    for (;;) {
      const auto event = decoder.next(in, deflate);
      if (event.kind == Kind::more) break;
      seen.push_back({event.kind, event.code, std::string(event.payload)});
    }
    EXPECT_TRUE(in.empty());
  }
  return seen;
}

// The same whatever the pieces are.
std::vector<Seen> decode(const std::string& bytes, WebSocketRole role = WebSocketRole::client,
                         size_t max = 1 << 20, WebSocketDeflate* deflate = nullptr) {
  const auto whole = decode(bytes, bytes.size() + 1, role, max, deflate);
  for (const size_t piece : {1, 2, 3, 5, 7, 64})
    EXPECT_EQ(decode(bytes, piece, role, max, deflate), whole) << "pieces of " << piece;
  return whole;
}

std::string frame(uint8_t first, const std::string& payload, uint8_t second_bits = 0) {
  std::string out;
  append_frame(out, Op::text, payload, std::nullopt);
  out[0] = static_cast<char>(first);
  out[1] = static_cast<char>(static_cast<uint8_t>(out[1]) | second_bits);
  return out;
}
std::string text(const std::string& payload) {
  return frame(0x81, payload);
}
std::string close_frame(int code, const std::string& reason) {
  return frame(0x88, close_payload(static_cast<uint16_t>(code), reason));
}

uint16_t violation(const std::string& bytes, WebSocketRole role = WebSocketRole::client, size_t max = 1 << 20,
                   WebSocketDeflate* deflate = nullptr) {
  const auto seen = decode(bytes + text("never seen"), role, max, deflate);
  return seen.size() == 1 && seen[0].kind == Kind::violation ? seen[0].code : 0;
}

TEST(WebSocketCodec, messages_of_every_length_class_come_back_whole_masked_or_not) {
  for (const size_t size : {0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 70001}) {
    const std::string payload(size, 'x');
    for (const bool masked : {false, true}) {
      std::string bytes;
      append_frame(bytes, Op::text, payload, masked ? std::optional<uint32_t>(0xa1b2c3d4) : std::nullopt);
      append_frame(bytes, Op::text, "next", masked ? std::optional<uint32_t>(0) : std::nullopt);
      const auto role = masked ? WebSocketRole::server : WebSocketRole::client;
      EXPECT_EQ(decode(bytes, role),
                (std::vector<Seen>{{Kind::message, 0, payload}, {Kind::message, 0, "next"}}));
    }
  }
}

TEST(WebSocketCodec, the_examples_of_rfc_6455) {
  EXPECT_EQ(decode("\x81\x05Hello"), (std::vector<Seen>{{Kind::message, 0, "Hello"}}));
  EXPECT_EQ(decode("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", WebSocketRole::server),
            (std::vector<Seen>{{Kind::message, 0, "Hello"}}));
  using std::string_literals::operator""s;
  EXPECT_EQ(decode("\x01\x03Hel\x80\x02lo"s), (std::vector<Seen>{{Kind::message, 0, "Hello"}}));
}

TEST(WebSocketCodec, control_frames_may_stand_between_fragments) {
  const std::string bytes = frame(0x01, "one ") + frame(0x89, "p") + frame(0x00, "two ") + frame(0x8a, "q") +
                            frame(0x00, "") + frame(0x80, "three") + close_frame(1000, "bye");
  EXPECT_EQ(decode(bytes), (std::vector<Seen>{{Kind::ping, 0, "p"},
                                              {Kind::pong, 0, "q"},
                                              {Kind::message, 0, "one two three"},
                                              {Kind::close, 1000, "bye"}}));
}

TEST(WebSocketCodec, a_character_may_be_split_over_fragments) {
  const std::string euro = "a\xe2\x82\xac\xf0\x9f\x98\x80z";
  for (size_t cut = 0; cut <= euro.size(); ++cut) {
    for (size_t second = cut; second <= euro.size(); ++second) {
      const std::string bytes = frame(0x01, euro.substr(0, cut)) +
                                frame(0x00, euro.substr(cut, second - cut)) +
                                frame(0x80, euro.substr(second));
      EXPECT_EQ(decode(bytes), (std::vector<Seen>{{Kind::message, 0, euro}}));
    }
  }
}

TEST(WebSocketCodec, invalid_utf8_is_1007_whole_or_in_fragments_and_before_the_end) {
  EXPECT_EQ(violation(text("\xff")), 1007);
  EXPECT_EQ(violation(text("ab\xc3")), 1007);
  EXPECT_EQ(violation(text("\xed\xa0\x80")), 1007);      // a surrogate
  EXPECT_EQ(violation(text("\xc0\xaf")), 1007);          // overlong
  EXPECT_EQ(violation(text("\xf4\x90\x80\x80")), 1007);  // beyond U+10FFFF
  EXPECT_EQ(violation(frame(0x01, "\xe2\x82") + frame(0x80, "x")), 1007);
  EXPECT_EQ(violation(frame(0x01, "\xe2\x82") + frame(0x80, "")), 1007);
  EXPECT_EQ(violation(frame(0x01, "bad \xff middle")), 1007);
  EXPECT_EQ(violation(frame(0x01, "\x80")), 1007);
  // At once, though the rest of the character could still come.
  EXPECT_EQ(violation(frame(0x01, "\xff")), 1007);
  EXPECT_EQ(violation(frame(0x01, "\xc0")), 1007);
  EXPECT_EQ(violation(frame(0x01, "\xed\xa0")), 1007);
  EXPECT_EQ(violation(frame(0x01, "\xf4\x90")), 1007);
}

TEST(WebSocketCodec, broken_frames_are_1002) {
  EXPECT_EQ(violation(frame(0xc1, "x")), 1002) << "RSV1";
  EXPECT_EQ(violation(frame(0xa1, "x")), 1002) << "RSV2";
  EXPECT_EQ(violation(frame(0x91, "x")), 1002) << "RSV3";
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    EXPECT_EQ(violation(frame(static_cast<uint8_t>(0x80 | opcode), "x")), 1002) << opcode;
  }
  EXPECT_EQ(violation(frame(0x80, "x")), 1002) << "continuation of nothing";
  EXPECT_EQ(violation(frame(0x01, "x") + frame(0x81, "y")), 1002) << "a message inside a message";
  EXPECT_EQ(violation(frame(0x09, "x")), 1002) << "fragmented ping";
  EXPECT_EQ(violation(frame(0x89, std::string(126, 'x'))), 1002) << "long ping";
  using std::string_literals::operator""s;
  EXPECT_EQ(violation("\x81\x7e\x00\x7d"s + std::string(125, 'x')), 1002) << "not the shortest length";
  EXPECT_EQ(violation("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff"s), 1002) << "not the shortest length";
  EXPECT_EQ(violation("\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00"s), 1002) << "negative length";
}

TEST(WebSocketCodec, clients_must_mask_and_servers_must_not) {
  std::string masked;
  append_frame(masked, Op::text, "x", 1u);
  EXPECT_EQ(violation(masked, WebSocketRole::client), 1002);
  EXPECT_EQ(violation(text("x"), WebSocketRole::server), 1002);
}

TEST(WebSocketCodec, binary_is_1003) {
  EXPECT_EQ(violation(frame(0x82, "x")), 1003);
  EXPECT_EQ(violation(frame(0x02, "x")), 1003);
}

TEST(WebSocketCodec, too_large_is_1009_before_its_payload_arrived) {
  EXPECT_EQ(decode(text(std::string(100, 'x')), WebSocketRole::client, 100).at(0).kind, Kind::message);
  EXPECT_EQ(violation(text(std::string(101, 'x')), WebSocketRole::client, 100), 1009);
  EXPECT_EQ(violation(frame(0x01, std::string(60, 'x')) + frame(0x80, std::string(41, 'x')),
                      WebSocketRole::client, 100),
            1009);
  using std::string_literals::operator""s;
  EXPECT_EQ(violation("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"s), 1009);
}

TEST(WebSocketCodec, close_codes_and_reasons_are_checked) {
  for (const int code : {1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999}) {
    EXPECT_EQ(decode(close_frame(code, "r\xc3\xa9")),
              (std::vector<Seen>{{Kind::close, static_cast<uint16_t>(code), "r\xc3\xa9"}}));
  }
  for (const int code : {0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65535})
    EXPECT_EQ(violation(close_frame(code, "")), 1002);
  EXPECT_EQ(violation(frame(0x88, std::string("\x03\xed", 2))), 1002);  // 1005 must not be sent
  EXPECT_EQ(decode(frame(0x88, "")), (std::vector<Seen>{{Kind::close, 1005, ""}}));
  EXPECT_EQ(violation(frame(0x88, "\x03")), 1002);
  EXPECT_EQ(violation(close_frame(1000, "\xff")), 1007);
  EXPECT_EQ(decode(close_frame(1000, "") + text("late")).size(), 1u) << "nothing after a close";
}

TEST(WebSocketCodec, a_long_close_reason_is_cut_at_a_character) {
  std::string reason;
  while (reason.size() < 200) reason += "\xe2\x82\xac";
  const std::string payload = close_payload(4000, reason);
  EXPECT_EQ(payload.size(), 125u);
  reason = "x" + reason;
  EXPECT_EQ(close_payload(4000, reason).size(), 2u + 121u);
}

// As decode() and violation(), where compression was agreed on and binary messages are taken.
struct Agreed {
  WebSocketDeflate deflate;
  std::string compress(const std::string& message) {
    const auto payload = deflate.deflate(message, 15, message.size() + 100);
    EXPECT_TRUE(payload);
    return std::string(payload.value_or(""));
  }
  std::vector<Seen> seen(const std::string& bytes, size_t max = 1 << 20) {
    return decode(bytes, WebSocketRole::client, max, &deflate);
  }
  uint16_t broken(const std::string& bytes, size_t max = 1 << 20) {
    return violation(bytes, WebSocketRole::client, max, &deflate);
  }
};

TEST(WebSocketCodecCompressed, messages_come_back_whole_or_in_fragments_and_among_plain_ones) {
  Agreed agreed;
  const std::string hello = agreed.compress("Hello Hello Hello"), empty = agreed.compress("");
  const size_t cut = hello.size() / 2;
  const std::string bytes = frame(0xc1, hello) + text("plain") + frame(0x41, hello.substr(0, cut)) +
                            frame(0x89, "ping") + frame(0x00, "") + frame(0x80, hello.substr(cut)) +
                            frame(0x01, "pl") + frame(0x80, "ain") + frame(0xc1, empty) + frame(0x41, "") +
                            frame(0x80, empty) + frame(0xc2, agreed.compress("\xff")) + text("");
  EXPECT_EQ(agreed.seen(bytes), (std::vector<Seen>{{Kind::message, 0, "Hello Hello Hello"},
                                                   {Kind::message, 0, "plain"},
                                                   {Kind::ping, 0, "ping"},
                                                   {Kind::message, 0, "Hello Hello Hello"},
                                                   {Kind::message, 0, "plain"},
                                                   {Kind::message, 0, ""},
                                                   {Kind::message, 0, ""},
                                                   {Kind::message, 0, "\xff"},
                                                   {Kind::message, 0, ""}}));
}

TEST(WebSocketCodecCompressed, two_connections_of_a_thread_do_not_mix) {
  Agreed agreed;
  std::string text_bytes(300, 'a');
  const std::string payload = agreed.compress(text_bytes);
  WebSocketDecoder one(WebSocketRole::client, 1000), other(WebSocketRole::client, 1000);
  const auto give = [&](WebSocketDecoder& decoder, std::string bytes) {
    std::span<char> in(bytes);
    const auto event = decoder.next(in, &agreed.deflate);
    return Seen{event.kind, event.code, std::string(event.payload)};
  };
  const Seen whole{Kind::message, 0, text_bytes}, more{Kind::more, 0, ""};
  EXPECT_EQ(give(one, frame(0x41, payload.substr(0, 3))), more);
  EXPECT_EQ(give(other, frame(0x41, payload.substr(0, 5))), more);
  EXPECT_EQ(give(one, frame(0x80, payload.substr(3))), whole);
  EXPECT_EQ(give(other, frame(0x80, payload.substr(5))), whole);
}

TEST(WebSocketCodecCompressed, rsv1_stands_on_the_first_frame_of_a_message_alone) {
  Agreed agreed;
  const std::string payload = agreed.compress("Hello");
  EXPECT_EQ(violation(frame(0xc1, payload)), 1002) << "nothing was agreed on";
  EXPECT_EQ(agreed.broken(frame(0x41, payload.substr(0, 2)) + frame(0xc0, payload.substr(2))), 1002);
  EXPECT_EQ(agreed.broken(frame(0x01, "pl") + frame(0xc0, payload)), 1002);
  for (const int control : {0xc8, 0xc9, 0xca})
    EXPECT_EQ(agreed.broken(frame(static_cast<uint8_t>(control), "")), 1002) << control;
  EXPECT_EQ(agreed.broken(frame(0xc3, payload)), 1002) << "no such opcode";
  for (const int bits : {0xa1, 0x91, 0xe1, 0xd1, 0xf1})
    EXPECT_EQ(agreed.broken(frame(static_cast<uint8_t>(bits), payload)), 1002) << bits;
}

TEST(WebSocketCodecCompressed, what_it_says_has_to_be_text) {
  Agreed agreed;
  const std::string bad = agreed.compress("bad \xff text"), cut = agreed.compress("cut \xe2\x82");
  EXPECT_EQ(agreed.broken(frame(0xc1, bad)), 1007);
  EXPECT_EQ(agreed.broken(frame(0xc1, cut)), 1007);
  EXPECT_EQ(agreed.broken(frame(0x41, bad) + frame(0x80, "")), 1007);
  EXPECT_EQ(agreed.broken(frame(0xc1, "no deflate at all")), 1007);
  EXPECT_EQ(agreed.broken(frame(0xc1, "")), 1007);
  const std::string euro = agreed.compress("\xe2\x82\xac");
  for (size_t i = 0; i <= euro.size(); ++i) {
    EXPECT_EQ(agreed.seen(frame(0x41, euro.substr(0, i)) + frame(0x80, euro.substr(i))),
              (std::vector<Seen>{{Kind::message, 0, "\xe2\x82\xac"}}));
  }
}

TEST(WebSocketCodecCompressed, what_travels_and_what_it_says_are_limited_alike) {
  Agreed agreed;
  const std::string fits = agreed.compress(std::string(100, 'x')),
                    not_quite = agreed.compress(std::string(101, 'x')),
                    bomb = agreed.compress(std::string(1 << 20, 'x'));
  EXPECT_EQ(agreed.seen(frame(0xc1, fits), 100).at(0).kind, Kind::message);
  EXPECT_EQ(agreed.broken(frame(0xc1, not_quite), 100), 1009);
  EXPECT_EQ(agreed.broken(frame(0xc1, bomb), 100'000), 1009);
  EXPECT_EQ(agreed.broken(frame(0x41, bomb.substr(0, 50)) + frame(0x80, bomb.substr(50)), 100'000), 1009);
  // Blocks that say nothing, before all of them arrived.
  std::string blocks;
  for (int i = 0; i < 30; ++i) blocks += std::string("\0\0\0\xff\xff", 5);
  EXPECT_EQ(agreed.broken(frame(0x41, blocks.substr(0, 60)) + frame(0x00, blocks.substr(60, 41)), 100), 1009);
  EXPECT_EQ(agreed.broken(frame(0xc1, blocks), 100), 1009);
}

}  // namespace
}  // namespace tidings::net
