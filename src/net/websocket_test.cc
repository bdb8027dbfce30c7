#include "net/websocket.h"

#include "net/test_server.h"
#include "net/websocket_codec.h"

namespace tidings::net {
namespace {

using std::chrono::milliseconds;

std::string masked(std::string_view text, WebSocketOpcode opcode = WebSocketOpcode::text) {
  std::string out;
  append_frame(out, opcode, text, 0x11223344u);
  return out;
}
std::string plain(std::string_view text, WebSocketOpcode opcode = WebSocketOpcode::text) {
  std::string out;
  append_frame(out, opcode, text, std::nullopt);
  return out;
}
std::string close_of(uint16_t code, std::string_view reason = "") {
  return plain(close_payload(code, reason), WebSocketOpcode::close);
}

base::Result<std::unique_ptr<WebSocket>> try_connect(Reactor& reactor, uint16_t port,
                                                     const std::string& subprotocol = "test.v1",
                                                     WebSocketOptions options = {}) {
  std::promise<base::Result<std::unique_ptr<WebSocket>>> promise;
  connect_websocket(reactor, "127.0.0.1", port, "/v1/ws", subprotocol, options,
                    [&](auto result) { promise.set_value(std::move(result)); });
  return promise.get_future().get();
}

// A client on the server's own reactor, so that a test looks at both ends from one thread.
std::unique_ptr<Ear> connect(TestServer& server) {
  auto socket = try_connect(server.reactor, server.port);
  EXPECT_TRUE(socket.ok());
  return run_on(server.reactor, [&] { return std::make_unique<Ear>(std::move(*socket)); });
}
void destroy(TestServer& server, std::unique_ptr<Ear>& ear) {
  run_on(server.reactor, [&] { ear.reset(); });
}

TEST(WebSocket, echoes_messages_of_every_size_in_order) {
  base::Limits limits;
  limits.frame_bytes_max = 1 << 20;
  TestServer server(limits);
  auto socket = try_connect(server.reactor, server.port, "test.v1", {1 << 20});
  ASSERT_TRUE(socket.ok());
  auto client = run_on(server.reactor, [&] { return std::make_unique<Ear>(std::move(*socket)); });
  std::vector<std::string> sent;
  for (const size_t size : {0, 1, 125, 126, 65535, 65536, 1 << 20, 3})
    sent.emplace_back(size, static_cast<char>('a' + size % 26));
  run_on(server.reactor, [&] {
    EXPECT_EQ(client->socket->subprotocol(), "test.v1");
    EXPECT_EQ(client->socket->peer(), "127.0.0.1");
    for (const auto& text : sent) client->socket->send(text);
    EXPECT_GT(client->socket->outbox_bytes(), size_t{1} << 20);
  });
  EXPECT_TRUE(wait_until(server.reactor, [&] { return client->messages.size() == sent.size(); }));
  run_on(server.reactor, [&] {
    EXPECT_EQ(client->messages, sent);
    EXPECT_EQ(client->socket->outbox_bytes(), 0u);
    EXPECT_EQ(server.ears[0]->socket->peer(), "127.0.0.1");
    EXPECT_EQ(server.ears[0]->socket->subprotocol(), "test.v1");
  });
  destroy(server, client);
}

TEST(WebSocket, frames_right_behind_the_handshake_are_not_lost_and_may_come_byte_by_byte) {
  TestServer server;
  RawPeer peer = server.raw_websocket(masked("one") + masked("two") + masked("three").substr(0, 3));
  for (const char c : masked("three").substr(3)) peer.send({&c, 1});
  const std::string expected = plain("one") + plain("two") + plain("three");
  EXPECT_EQ(peer.read_bytes(expected.size()), expected);
}

TEST(WebSocket, a_ping_between_fragments_is_answered_at_once) {
  TestServer server;
  RawPeer peer = server.raw_websocket();
  std::string first = masked("frag");
  first[0] = 0x01;
  peer.send(first + masked("p", WebSocketOpcode::ping));
  EXPECT_EQ(peer.read_bytes(3), plain("p", WebSocketOpcode::pong));
  peer.send(masked("ment", WebSocketOpcode::continuation));
  EXPECT_EQ(peer.read_bytes(10), plain("fragment"));
}

TEST(WebSocket, what_a_peer_breaks_closes_with_its_code) {
  TestServer server;
  std::string rsv = masked("x");
  rsv[0] = static_cast<char>(0xc1);
  const std::vector<std::pair<uint16_t, std::string>> bad = {
      {1002, rsv},
      {1002, plain("not masked")},
      {1003, masked("x", WebSocketOpcode::binary)},
      {1007, masked("\xff")},
      {1009, masked(std::string(server.limits.frame_bytes_max + 1, 'x'))},
  };
  for (size_t i = 0; i < bad.size(); ++i) {
    RawPeer peer = server.raw_websocket();
    peer.send(masked("fine") + bad[i].second + masked("not seen"));
    const std::string answer = peer.read_to_end();
    ASSERT_GE(answer.size(), 10u);
    EXPECT_EQ(answer.substr(0, 6), plain("fine"));
    EXPECT_EQ(answer.substr(8, 2), close_payload(bad[i].first, "")) << bad[i].first;
    peer.vanish();
    Ear& ear = server.ear(i);
    EXPECT_TRUE(wait_until(server.reactor, [&] { return ear.closed_count == 1; }));
    run_on(server.reactor, [&] {
      EXPECT_EQ(ear.code, bad[i].first);
      EXPECT_EQ(ear.messages, std::vector<std::string>{"fine"});
    });
  }
}

TEST(WebSocket, the_peers_close_is_echoed_and_told) {
  TestServer server;
  RawPeer peer = server.raw_websocket();
  peer.send(masked(close_payload(4001, "bye"), WebSocketOpcode::close));
  EXPECT_EQ(peer.read_to_end(), close_of(4001));
  Ear& ear = server.ear(0);
  EXPECT_TRUE(wait_until(server.reactor, [&] { return ear.closed_count == 1; }));
  EXPECT_EQ(ear.code, 4001);
  EXPECT_EQ(ear.reason, "bye");
  RawPeer silent = server.raw_websocket();
  silent.send(masked("", WebSocketOpcode::close));
  EXPECT_EQ(silent.read_to_end(), plain("", WebSocketOpcode::close));
}

TEST(WebSocket, close_sends_what_is_queued_before_the_close_frame_and_nothing_after) {
  TestServer server;
  RawPeer peer = server.raw_websocket();
  Ear& ear = server.ear(0);
  std::string expected;
  run_on(server.reactor, [&] {
    for (int i = 0; i < 200; ++i) {
      const std::string text = std::to_string(i) + std::string(5000, '.');
      ear.socket->send(text);
      expected += plain(text);
    }
    ear.socket->close(4002, "enough");
    ear.socket->send("never");
    ear.socket->close(4003, "never");
    EXPECT_EQ(ear.closed_count, 0);
  });
  expected += close_of(4002, "enough");
  EXPECT_EQ(peer.read_bytes(expected.size()), expected);
  peer.send(masked("too late") + masked(close_payload(4002, ""), WebSocketOpcode::close));
  EXPECT_EQ(peer.read_to_end(), "");
  EXPECT_TRUE(wait_until(server.reactor, [&] { return ear.closed_count == 1; }));
  EXPECT_EQ(ear.code, 4002);
  EXPECT_TRUE(ear.messages.empty());
}

TEST(WebSocket, a_peer_that_never_answers_a_close_is_cut_after_a_second) {
  TestServer server;
  RawPeer peer = server.raw_websocket();
  Ear& ear = server.ear(0);
  const auto begin = std::chrono::steady_clock::now();
  run_on(server.reactor, [&] { ear.socket->close(1000, ""); });
  EXPECT_EQ(peer.read_to_end(), close_of(1000));
  EXPECT_TRUE(wait_until(server.reactor, [&] { return ear.closed_count == 1; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(1000));
  EXPECT_EQ(ear.code, 1006);
}

TEST(WebSocket, the_outbox_of_a_slow_reader_grows_and_drains_when_it_reads) {
  TestServer server;
  RawPeer peer = server.raw_websocket({}, 4096);
  Ear& ear = server.ear(0);
  const std::string text(60'000, 's');
  size_t sent = 0;
  for (int turn = 0; turn < 200; ++turn) {
    sent += 60'004;
    if (run_on(server.reactor, [&] { return ear.socket->send(text), ear.socket->outbox_bytes(); }) >
        (4u << 20))
      break;
  }
  EXPECT_GT(run_on(server.reactor, [&] { return ear.socket->outbox_bytes(); }), 1u << 20);
  EXPECT_EQ(peer.read_bytes(sent).substr(sent - 10), std::string(10, 's'));
  EXPECT_TRUE(wait_until(server.reactor, [&] { return ear.socket->outbox_bytes() == 0; }));
  EXPECT_EQ(run_on(server.reactor, [&] { return ear.closed_count; }), 0);
}

TEST(WebSocket, a_slow_reader_is_cut_a_second_after_close) {
  TestServer server;
  RawPeer peer = server.raw_websocket({}, 4096);
  Ear& ear = server.ear(0);
  run_on(server.reactor, [&] {
    ear.socket->send(std::string(32u << 20, 's'));
    ear.socket->close(4008, "slow");
  });
  EXPECT_TRUE(wait_until(server.reactor, [&] { return ear.closed_count == 1; }));
  EXPECT_EQ(ear.code, 1006);
  EXPECT_EQ(run_on(server.reactor, [&] { return ear.socket->outbox_bytes(); }), 0u);
}

TEST(WebSocket, pings_without_reading_do_not_grow_the_outbox) {
  TestServer server;
  RawPeer peer = server.raw_websocket({}, 4096);
  Ear& ear = server.ear(0);
  const std::string ping = masked(std::string(125, 'p'), WebSocketOpcode::ping);
  std::string many;
  for (int i = 0; i < 100; ++i) many += ping;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(peer.send(many));
  peer.send(masked("end"));
  EXPECT_TRUE(wait_until(server.reactor, [&] { return ear.messages.size() == 1; }));
  EXPECT_LT(run_on(server.reactor, [&] { return ear.socket->outbox_bytes(); }), 8u * 1024);
}

TEST(WebSocket, a_peer_that_vanishes_in_the_middle_of_a_frame_is_1006) {
  TestServer server;
  for (size_t i = 0; i < 2; ++i) {
    RawPeer peer = server.raw_websocket();
    peer.send(masked("whole") + masked("half").substr(0, 7));
    Ear& ear = server.ear(i);
    EXPECT_TRUE(wait_until(server.reactor, [&] { return ear.messages.size() == 1; }));
    i == 0 ? peer.vanish() : peer.half_close();
    EXPECT_TRUE(wait_until(server.reactor, [&] { return ear.closed_count == 1; }));
    EXPECT_EQ(ear.code, 1006);
  }
}

TEST(WebSocket, a_close_frame_is_heard_although_our_own_writes_already_fail) {
  TestServer server;
  RawPeer peer = server.raw_websocket();
  Ear& ear = server.ear(0);
  run_on(server.reactor, [&] {
    // In one turn, so that nothing is read before the write fails.
    peer.send(masked("last words") + masked(close_payload(4005, "gone"), WebSocketOpcode::close));
    peer.vanish();
    ear.socket->send("x");
  });
  EXPECT_TRUE(wait_until(server.reactor, [&] { return ear.closed_count == 1; }));
  EXPECT_TRUE(ear.code == 4005 || ear.code == 1006) << ear.code;  // a reset may overtake what was sent
}

TEST(WebSocket, a_thousand_connections_open_talk_and_close) {
  TestServer server;
  std::vector<std::unique_ptr<Ear>> clients;
  constexpr size_t count = 1000;
  run_on(server.reactor, [&] {
    for (size_t i = 0; i < count; ++i) {
      connect_websocket(server.reactor, "127.0.0.1", server.port, "/v1/ws", "test.v1", {}, [&](auto socket) {
        ASSERT_TRUE(socket.ok()) << socket.error().sentence;
        clients.push_back(std::make_unique<Ear>(std::move(*socket)));
      });
    }
  });
  ASSERT_TRUE(
      wait_until(server.reactor, [&] { return clients.size() == count && server.ears.size() == count; }));
  run_on(server.reactor, [&] {
    EXPECT_EQ(server.connections->value(), static_cast<int64_t>(count));
    for (auto& client : clients) client->socket->send("hello");
  });
  const auto all = [&](auto property) {
    return wait_until(server.reactor,
                      [&, property] { return std::all_of(clients.begin(), clients.end(), property); });
  };
  EXPECT_TRUE(all([](auto& client) { return client->messages.size() == 1; }));
  run_on(server.reactor, [&] {
    for (auto& client : clients) client->socket->close(1000, "done");
  });
  EXPECT_TRUE(all([](auto& client) { return client->closed_count == 1 && client->code == 1000; }));
  EXPECT_TRUE(wait_until(server.reactor, [&] { return server.connections->value() == 0; }));
  run_on(server.reactor, [&] { clients.clear(); });
}

TEST(WebSocket, a_client_is_told_in_a_sentence_why_it_cannot_connect) {
  TestServer server;
  const auto protocol = try_connect(server.reactor, server.port, "other");
  ASSERT_FALSE(protocol.ok());
  EXPECT_NE(protocol.error().sentence.find("400"), std::string::npos) << protocol.error().sentence;
  run_on(server.reactor, [&] { server.server->stop_accepting(); });
  EXPECT_FALSE(try_connect(server.reactor, server.port).ok());
}

TEST(WebSocket, both_ends_may_close_at_once) {
  TestServer server;
  auto client = connect(server);
  Ear& ear = server.ear(0);
  run_on(server.reactor, [&] {
    client->socket->close(4001, "client");
    ear.socket->close(4002, "server");
  });
  EXPECT_TRUE(wait_until(server.reactor, [&] { return client->closed_count == 1 && ear.closed_count == 1; }));
  EXPECT_EQ(client->code, 4002);
  EXPECT_EQ(ear.code, 4001);
  destroy(server, client);
}

// A handler that ends its own socket while it is being called.
struct SelfDestroying final : WebSocket::Handler {
  SelfDestroying(std::unique_ptr<WebSocket> s, std::string when)
      : socket(std::move(s)), trigger(std::move(when)) {
    socket->set_handler(this);
  }
  void on_message(std::string_view text) override {
    EXPECT_TRUE(socket);
    if (text == trigger) socket.reset();
  }
  void on_closed(uint16_t, std::string_view) override {
    EXPECT_TRUE(socket);
    socket.reset();
  }
  std::unique_ptr<WebSocket> socket;
  const std::string trigger;
};

TEST(WebSocket, may_be_destroyed_from_inside_its_callbacks) {
  TestServer server;
  for (const std::string trigger : {"two", "never"}) {
    auto socket = try_connect(server.reactor, server.port);
    ASSERT_TRUE(socket.ok());
    auto handler =
        run_on(server.reactor, [&] { return std::make_unique<SelfDestroying>(std::move(*socket), trigger); });
    Ear& ear = server.ear(server.ears.size() - 1);
    run_on(server.reactor, [&] {
      for (const auto* text : {"one", "two", "three"}) ear.socket->send(text);
      ear.socket->close(1000, "");
    });
    EXPECT_TRUE(wait_until(server.reactor, [&] { return !handler->socket; }));
    run_on(server.reactor, [&] { handler.reset(); });
  }
}

TEST(WebSocket, a_paused_socket_reads_nothing_so_the_peer_cannot_send_for_ever) {
  TestServer server;
  RawPeer peer = server.raw_websocket();
  Ear& ear = server.ear(0);
  run_on(server.reactor, [&] { ear.socket->pause_reading(true); });
  const std::string frame = masked(std::string(60'000, 'p'));
  const size_t taken = peer.send_without_waiting(frame, 100u << 20);
  EXPECT_LT(taken, 50u << 20);
  run_on(server.reactor, [&] {
    EXPECT_EQ(ear.bytes, 0u);
    ear.keep = ear.echo = false;
    ear.socket->pause_reading(false);
  });
  EXPECT_TRUE(wait_until(server.reactor, [&] { return ear.bytes == taken / frame.size() * 60'000; }));
}

TEST(WebSocket, a_paused_socket_whose_peer_is_reset_ends) {
  TestServer server;
  RawPeer peer = server.raw_websocket();
  Ear& ear = server.ear(0);
  run_on(server.reactor, [&] { ear.socket->pause_reading(true); });
  peer.send(masked("never read"));
  peer.vanish();
  EXPECT_TRUE(wait_until(server.reactor, [&] { return ear.closed_count == 1; }));
  EXPECT_EQ(ear.code, 1006);
  EXPECT_TRUE(ear.messages.empty());
}

TEST(WebSocket, moves_to_another_reactor_in_the_middle_of_a_frame_and_of_a_message_and_is_counted_once) {
  TestServer server;
  Reactor other("other");
  other.start();
  std::string first = masked("frag");
  first[0] = 0x01;
  for (const bool dropped : {false, true}) {
    const size_t i = server.ears.size();
    RawPeer peer = server.raw_websocket();
    Ear& ear = server.ear(i);
    const std::string second = masked("ment", WebSocketOpcode::continuation);
    peer.send(masked("whole") + first + second.substr(0, 7));
    EXPECT_EQ(peer.read_bytes(7), plain("whole"));
    MovedWebSocket moved;
    run_on(server.reactor, [&] {
      moved = ear.socket->move_out();
      EXPECT_EQ(server.connections->value(), 1);
      ear.socket->send("nobody is there");
      ear.socket->close(1000, "");
      ear.socket->pause_reading(true);
      EXPECT_FALSE(ear.socket->move_out());
      ear.socket.reset();
      EXPECT_EQ(ear.closed_count, 0);
    });
    EXPECT_EQ(server.connections->value(), 1);
    if (dropped) {
      moved = {};
      EXPECT_EQ(peer.read_to_end(), "");
    } else {
      auto there = run_on(other, [&] { return std::make_unique<Ear>(moved(other), true); });
      peer.send(second.substr(7));
      EXPECT_EQ(peer.read_bytes(10), plain("fragment"));
      EXPECT_EQ(run_on(other, [&] { return there->socket->peer(); }), "127.0.0.1");
      run_on(other, [&] { there.reset(); });
      EXPECT_EQ(peer.read_to_end(), "");
    }
    EXPECT_EQ(server.connections->value(), 0);
  }
  other.stop();
}

TEST(WebSocket, a_full_outbox_moves_and_is_sent_from_there) {
  TestServer server;
  Reactor other("other");
  other.start();
  RawPeer peer = server.raw_websocket({}, 4096);
  Ear& ear = server.ear(0);
  const std::string text(60'000, 's');
  MovedWebSocket moved;
  run_on(server.reactor, [&] {
    for (int i = 0; i < 200; ++i) ear.socket->send(text);
  });
  EXPECT_GT(run_on(server.reactor, [&] { return ear.socket->outbox_bytes(); }), 0u);
  run_on(server.reactor, [&] {
    moved = ear.socket->move_out();
    ear.socket.reset();
  });
  auto there = run_on(other, [&] { return std::make_unique<Ear>(moved(other)); });
  run_on(other, [&] { there->socket->send("last"); });
  const std::string all = peer.read_bytes(200 * 60'004 + 6);
  for (size_t i = 0; i < 200; ++i) ASSERT_EQ(all.substr(i * 60'004 + 4, 60'000), text);
  EXPECT_EQ(all.substr(200 * 60'004), plain("last"));
  run_on(other, [&] { there.reset(); });
  other.stop();
}

TEST(WebSocket, texts_encoded_once_stand_between_others_where_they_were_queued) {
  TestServer server;
  RawPeer first = server.raw_websocket(), second = server.raw_websocket();
  server.ear(1);
  const std::vector<std::string_view> texts{"one", "", "three"};
  run_on(server.reactor, [&] {
    const auto encoded = encode_texts(texts);
    auto& a = *server.ears[0]->socket;
    auto& b = *server.ears[1]->socket;
    ASSERT_TRUE(a.send_encoded(encoded));
    EXPECT_EQ(a.outbox_bytes(), encoded.view().size());
    a.send("then");
    ASSERT_TRUE(a.send_encoded(encoded));
    b.send("before");
    ASSERT_TRUE(b.send_encoded(encoded));
    ASSERT_TRUE(b.send_encoded(encoded));
  });
  const std::string all = plain("one") + plain("") + plain("three");
  EXPECT_EQ(first.read_bytes(2 * all.size() + 6), all + plain("then") + all);
  EXPECT_EQ(second.read_bytes(8 + 2 * all.size()), plain("before") + all + all);
}

TEST(WebSocket, a_slow_reader_gets_texts_encoded_once_whole_here_or_after_a_move) {
  for (const bool moves : {false, true}) {
    TestServer server;
    Reactor other("other");
    other.start();
    RawPeer peer = server.raw_websocket({}, 4096);
    Ear& ear = server.ear(0);
    std::vector<std::string> texts;
    for (int i = 0; i < 200; ++i) texts.emplace_back(60'000, static_cast<char>('a' + i % 26));
    run_on(server.reactor, [&] {
      const std::vector<std::string_view> views(texts.begin(), texts.end());
      ASSERT_TRUE(ear.socket->send_encoded(encode_texts(views)));
    });
    EXPECT_GT(run_on(server.reactor, [&] { return ear.socket->outbox_bytes(); }), 0u);
    std::unique_ptr<Ear> there;
    if (moves) {
      MovedWebSocket moved;
      run_on(server.reactor, [&] {
        moved = ear.socket->move_out();
        ear.socket.reset();
      });
      there = run_on(other, [&] { return std::make_unique<Ear>(moved(other)); });
      run_on(other, [&] { there->socket->send("last"); });
    } else {
      run_on(server.reactor, [&] { ear.socket->send("last"); });
    }
    const std::string all = peer.read_bytes(200 * 60'004 + 6);
    for (size_t i = 0; i < 200; ++i) ASSERT_EQ(all.substr(i * 60'004 + 4, 60'000), texts[i]);
    EXPECT_EQ(all.substr(200 * 60'004), plain("last"));
    run_on(other, [&] { there.reset(); });
    other.stop();
  }
}

TEST(WebSocket, a_client_masks_and_so_shares_nothing) {
  TestServer server;
  auto client = connect(server);
  run_on(server.reactor, [&] {
    EXPECT_FALSE(client->socket->send_encoded(encode_texts(std::vector<std::string_view>{"text"})));
    EXPECT_EQ(client->socket->outbox_bytes(), 0u);
  });
  destroy(server, client);
}

}  // namespace
}  // namespace tidings::net
