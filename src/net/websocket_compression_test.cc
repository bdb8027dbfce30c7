// permessage-deflate between a server and raw peers: what is agreed on, and what travels then.
#include "net/test_server.h"
#include "net/websocket_codec.h"
#include "net/websocket_deflate.h"

namespace tidings::net {
namespace {

const std::string long_text = [] {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "line " + std::to_string(i) + ", ";
  return text;
}();

HttpServerOptions with(WebSocketCompression compression) {
  HttpServerOptions options;
  options.compression = compression;
  return options;
}

// The extensions of the answer to a handshake with these headers.
std::string answered(RawPeer& peer, const std::vector<std::string>& offers) {
  std::string request = TestServer::handshake();
  request.resize(request.size() - 2);
  for (const auto& offer : offers) request += "Sec-WebSocket-Extensions: " + offer + "\r\n";
  peer.send(request + "\r\n");
  const std::string answer = peer.read_until("\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 ")) << answer;
  const std::string header = "sec-websocket-extensions: ";
  const size_t at = answer.find(header);
  if (at == answer.npos) return "";
  return answer.substr(at + header.size(), answer.find('\r', at) - at - header.size());
}

struct Compressing {
  explicit Compressing(const std::string& offer = "permessage-deflate",
                       WebSocketCompression compression = WebSocketCompression::on)
      : server({}, with(compression)), peer(server.port) {
    EXPECT_NE(answered(peer, {offer}), "");
  }
  std::string compress(std::string_view message) {
    return std::string(deflate.deflate(message, 15, message.size() + 100).value());
  }
  void say(std::string_view payload, bool compressed, WebSocketOpcode opcode = WebSocketOpcode::text) {
    std::string bytes;
    append_frame(bytes, opcode, payload, 0x11223344u, compressed);
    peer.send(bytes);
  }
  // The payload of the next frame, all of which have less than 64 KiB.
  std::string hear(bool compressed) {
    const std::string head = peer.read_bytes(2);
    EXPECT_EQ(static_cast<uint8_t>(head[0]), compressed ? 0xc1 : 0x81);
    size_t size = static_cast<uint8_t>(head[1]);
    if (size == 126) {
      const std::string length = peer.read_bytes(2);
      size = static_cast<size_t>(static_cast<uint8_t>(length[0]) << 8 | static_cast<uint8_t>(length[1]));
    }
    return peer.read_bytes(size);
  }
  std::string hear_inflated() {
    const auto [kind, message] = deflate.inflate(hear(true), 1 << 20);
    EXPECT_EQ(kind, WebSocketDeflate::Inflated::Kind::whole);
    return std::string(message);
  }
  // The code in the close frame, and nothing behind it.
  int hear_close() {
    const std::string rest = peer.read_to_end();
    EXPECT_GE(rest.size(), 4u);
    if (rest.size() < 4) return 0;
    EXPECT_EQ(rest[0], '\x88');
    return static_cast<uint8_t>(rest[2]) << 8 | static_cast<uint8_t>(rest[3]);
  }

  TestServer server;
  RawPeer peer;
  WebSocketDeflate deflate;
};

TEST(WebSocketCompression, is_off_by_default_whatever_is_offered) {
  TestServer server;
  RawPeer peer(server.port);
  EXPECT_EQ(answered(peer, {"permessage-deflate", "permessage-deflate; client_max_window_bits"}), "");
  std::string compressed;
  append_frame(compressed, WebSocketOpcode::text, std::string("\xf2\x48\xcd\xc9\xc9\x07\x00", 7), 1u, true);
  peer.send(compressed);
  const std::string close = peer.read_to_end();
  EXPECT_EQ(close.substr(2, 2), close_payload(1002, ""));
}

TEST(WebSocketCompression, is_agreed_on_with_who_offers_it_in_one_header_or_several) {
  TestServer server({}, with(WebSocketCompression::on));
  const std::string answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  const auto ask = [&](const std::vector<std::string>& offers) {
    RawPeer peer(server.port);
    return answered(peer, offers);
  };
  EXPECT_EQ(ask({}), "");
  EXPECT_EQ(ask({"permessage-deflate; client_max_window_bits"}), answer);
  EXPECT_EQ(ask({"x-other", "permessage-deflate; what=is_this",
                 "permessage-deflate; server_max_window_bits=11", "permessage-deflate"}),
            answer + "; server_max_window_bits=11");
  EXPECT_EQ(ask({"permessage-deflate; what=is_this"}), "");
}

TEST(WebSocketCompression, long_messages_are_compressed_and_short_ones_not) {
  Compressing c;
  c.say(c.compress(long_text), true);
  EXPECT_EQ(c.hear_inflated(), long_text);
  c.say(long_text, false);
  EXPECT_EQ(c.hear_inflated(), long_text) << "what comes may be plain";
  c.say(c.compress("short"), true);
  EXPECT_EQ(c.hear(false), "short");
  c.say(c.compress(long_text.substr(0, 1023)), true);
  EXPECT_EQ(c.hear(false), long_text.substr(0, 1023));
  c.say(c.compress(long_text.substr(0, 1024)), true);
  EXPECT_EQ(c.hear_inflated(), long_text.substr(0, 1024));
}

TEST(WebSocketCompression, who_did_not_offer_it_gets_plain_messages) {
  TestServer server({}, with(WebSocketCompression::on));
  RawPeer peer = server.raw_websocket();
  std::string bytes, expected;
  append_frame(bytes, WebSocketOpcode::text, long_text, 1u);
  append_frame(expected, WebSocketOpcode::text, long_text, std::nullopt);
  peer.send(bytes);
  EXPECT_EQ(peer.read_bytes(expected.size()), expected);
}

TEST(WebSocketCompression, what_would_not_get_smaller_goes_as_it_is) {
  // Random bits in ASCII would get smaller, so the server tells them as binary.
  Compressing c;
  std::string noise(5000, '\0');
  uint32_t state = 1;
  for (char& byte : noise) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  Ear& ear = c.server.ear(0);
  run_on(c.server.reactor, [&] { ear.socket->send_binary(noise); });
  EXPECT_EQ(c.peer.read_bytes(4).substr(0, 2), "\x82\x7e");
  EXPECT_EQ(c.peer.read_bytes(noise.size()), noise);
}

TEST(WebSocketCompression, everything_is_compressed_where_that_is_wanted) {
  Compressing c("permessage-deflate; server_max_window_bits=8", WebSocketCompression::always);
  for (const std::string text : {"", "x", "short", long_text.c_str()}) {
    c.say(text, false);
    EXPECT_EQ(c.hear_inflated(), text);
  }
}

TEST(WebSocketCompression, a_bomb_is_too_large) {
  Compressing c;
  c.say(c.compress(std::string(60 << 20, ' ')), true);
  EXPECT_EQ(c.hear_close(), 1009);
}

TEST(WebSocketCompression, what_a_peer_breaks_closes_with_its_code) {
  for (const auto& [code, first, payload] :
       {std::tuple(1002, 0xc9, std::string("p")), std::tuple(1007, 0xc1, std::string("\6")),
        std::tuple(1002, 0xa1, std::string("x"))}) {
    Compressing c;
    std::string bytes;
    append_frame(bytes, WebSocketOpcode::text, payload, 1u);
    bytes[0] = static_cast<char>(first);
    c.peer.send(bytes);
    EXPECT_EQ(c.hear_close(), code);
  }
}

TEST(WebSocketCompression, moves_to_another_reactor_in_the_middle_of_a_message) {
  Compressing c("permessage-deflate; server_max_window_bits=9");
  Reactor other("other");
  other.start();
  const std::string payload = c.compress(long_text);
  std::string first, second;
  append_frame(first, WebSocketOpcode::text, payload.substr(0, 100), 1u, true);
  append_frame(second, WebSocketOpcode::continuation, payload.substr(100), 1u);
  first[0] = 0x41;
  c.say("here", false);
  EXPECT_EQ(c.hear(false), "here");
  c.peer.send(first);
  std::string ping;
  append_frame(ping, WebSocketOpcode::ping, "", 1u);
  c.peer.send(ping);
  EXPECT_EQ(c.peer.read_bytes(2), std::string("\x8a\0", 2));
  MovedWebSocket moved;
  run_on(c.server.reactor, [&] {
    moved = c.server.ears[0]->socket->move_out();
    c.server.ears[0]->socket.reset();
  });
  auto there = run_on(other, [&] { return std::make_unique<Ear>(moved(other), true); });
  c.peer.send(second);
  EXPECT_EQ(c.hear_inflated(), long_text);
  run_on(other, [&] { there.reset(); });
  other.stop();
}

TEST(WebSocketCompression, who_compresses_shares_nothing) {
  Compressing it;
  Ear& ear = it.server.ear(0);
  run_on(it.server.reactor, [&] {
    EXPECT_FALSE(ear.socket->send_encoded(encode_texts(std::vector<std::string_view>{long_text})));
    EXPECT_EQ(ear.socket->outbox_bytes(), 0u);
  });
}

}  // namespace
}  // namespace tidings::net
