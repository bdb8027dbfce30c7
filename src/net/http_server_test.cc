#include <sys/resource.h>

#include "base/log_line.h"
#include "net/test_server.h"

namespace tidings::net {
namespace {

using std::chrono::milliseconds;

std::string get(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(more) + "\r\n";
}

TEST(HttpServer, answers_and_keeps_the_connection) {
  TestServer server;
  RawPeer peer(server.port);
  for (int i = 0; i < 3; ++i) {
    peer.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_EQ(peer.read_until("POST /a hi"),
              "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 10\r\n\r\nPOST /a hi");
  }
}

TEST(HttpServer, pipelined_requests_are_answered_in_order_even_if_one_takes_longer) {
  TestServer server;
  RawPeer peer(server.port);
  std::string all;
  for (int i = 0; i < 500; ++i) all += get("/" + std::to_string(i)) + (i % 100 == 50 ? get("/later") : "");
  peer.send(all + get("/last", "Connection: close\r\n"));
  const std::string answers = peer.read_to_end();
  size_t at = 0;
  for (int i = 0; i < 500; ++i) {
    at = answers.find("GET /" + std::to_string(i) + " ", at);
    ASSERT_NE(at, answers.npos) << i;
    if (i % 100 == 50) at = answers.find("later", at);
    ASSERT_NE(at, answers.npos) << i;
  }
  EXPECT_NE(answers.find("connection: close\r\n\r\nGET /last ", at), answers.npos);
}

TEST(HttpServer, a_peer_that_does_not_read_its_answers_is_not_read_either) {
  TestServer server;
  RawPeer peer(server.port, 4096);
  std::string all;
  for (int i = 0; i < 5; ++i) all += get("/large");
  peer.send(all);
  EXPECT_TRUE(wait_until(server.reactor, [&] { return server.requests > 0; }));
  run_on(server.reactor, [&] { EXPECT_LT(server.requests, 3); });
  peer.send(get("/end", "Connection: close\r\n"));
  EXPECT_GT(peer.read_to_end().size(), 5u * (8u << 20));
  EXPECT_EQ(server.requests, 6);
}

TEST(HttpServer, head_tells_the_length_without_a_body) {
  TestServer server;
  RawPeer peer(server.port);
  peer.send("HEAD /abc HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string answer = peer.read_to_end();
  EXPECT_NE(answer.find("content-length: 10\r\n"), answer.npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST(HttpServer, a_client_that_waits_for_100_continue_is_told) {
  TestServer server;
  RawPeer peer(server.port);
  peer.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(peer.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.send("hi");
  EXPECT_TRUE(peer.read_until("POST / hi").starts_with("HTTP/1.1 200"));
}

TEST(HttpServer, refusals_reach_a_client_that_is_still_sending) {
  TestServer server;
  const std::string host = "Host: h\r\n";
  const std::vector<std::pair<int, std::string>> bad = {
      {431, "GET / HTTP/1.1\r\n" + host + "X: " + std::string(1u << 20, 'x')},
      {413, "POST / HTTP/1.1\r\n" + host + "Content-Length: 10000000\r\n\r\n" + std::string(1u << 20, 'x')},
      {400,
       "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, std::string(100'000, '\0')},
      {400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},  // TLS on the plain port
  };
  for (const auto& [status, bytes] : bad) {
    RawPeer peer(server.port);
    peer.send(bytes);
    peer.half_close();
    const std::string answer = peer.read_to_end();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(status) + " ")) << status << ": " << answer;
    EXPECT_TRUE(answer.ends_with("refused"));
  }
  EXPECT_EQ(server.requests, 0);
}

TEST(HttpServer, silence_is_closed_and_half_a_request_gets_408) {
  base::Limits limits;
  limits.http_request_timeout = milliseconds(50);
  limits.http_idle_timeout = milliseconds(60);
  TestServer server(limits);
  RawPeer silent(server.port);
  EXPECT_EQ(silent.read_to_end(), "");
  RawPeer half(server.port);
  half.send("GET / HTTP/1.1\r\nHos");
  EXPECT_TRUE(half.read_to_end().starts_with("HTTP/1.1 408 "));
  RawPeer idle(server.port);
  idle.send(get("/a"));
  EXPECT_TRUE(idle.read_to_end().ends_with("GET /a "));
  RawPeer second(server.port);
  second.send(get("/a") + "GET");
  EXPECT_NE(second.read_to_end().find("HTTP/1.1 408 "), std::string::npos);
  EXPECT_TRUE(wait_until(server.reactor, [&] { return server.connections->value() == 0; }));
}

TEST(HttpServer, a_reply_may_come_after_its_client_has_gone) {
  TestServer server;
  {
    RawPeer peer(server.port);
    peer.send(get("/keep"));
    EXPECT_TRUE(wait_until(server.reactor, [&] { return server.kept_replies.size() == 1; }));
    peer.vanish();
  }
  EXPECT_TRUE(wait_until(server.reactor, [&] { return server.connections->value() == 0; }));
  run_on(server.reactor, [&] { server.kept_replies[0]({200, {}, "too late"}); });
}

TEST(HttpServer, a_request_that_nobody_answers_ends_its_connection) {
  TestServer server;
  RawPeer peer(server.port);
  peer.send(get("/drop"));
  EXPECT_EQ(peer.read_to_end(), "");
}

TEST(HttpServer, upgrades_are_refused_with_their_own_codes) {
  TestServer server;
  const auto refused = [&](const std::string& request) {
    RawPeer peer(server.port);
    peer.send(request);
    return peer.read_to_end().substr(9, 3);
  };
  const auto without = [](std::string_view line, std::string_view instead) {
    std::string bytes = TestServer::handshake();
    return bytes.replace(bytes.find(line), line.size(), instead);
  };
  EXPECT_EQ(refused(TestServer::handshake("/elsewhere")), "404");
  EXPECT_EQ(refused(TestServer::handshake("/v1/ws", "other")), "400");
  EXPECT_EQ(refused(without("Version: 13", "Version: 8")), "426");
  EXPECT_EQ(refused(without("dGhlIHNhbXBsZSBub25jZQ==", "short")), "400");
  EXPECT_EQ(refused(without("Upgrade: WebSocket", "Upgrade: h2c")), "400") << "at the WebSocket's path";
  EXPECT_EQ(refused(without("GET", "PUT")), "400");
  for (const char* origin :
       {"https://elsewhere.example", "null", "", "https://chat.example.elsewhere.example",
        "http://chat.example", "https://chat.example:8443", "https://CHAT.example"}) {
    EXPECT_EQ(
        refused(without("Upgrade: WebSocket", "Origin: " + std::string(origin) + "\r\nUpgrade: WebSocket")),
        "403")
        << origin;
  }
  EXPECT_EQ(refused(without(
                "Upgrade: WebSocket",
                "Origin: https://chat.example\r\nOrigin: https://elsewhere.example\r\nUpgrade: WebSocket")),
            "403");
  EXPECT_TRUE(server.ears.empty());
  RawPeer welcome(server.port);
  welcome.send(without("Upgrade: WebSocket", "Origin: https://chat.example\r\nUpgrade: WebSocket"));
  EXPECT_TRUE(welcome.read_until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
}

TEST(HttpServer, a_client_that_offers_http2_gets_its_answer) {
  TestServer server;
  RawPeer peer(server.port);
  const std::string offer =
      "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n";
  for (int i = 0; i < 2; ++i) {
    peer.send(get("/a", offer));
    EXPECT_EQ(peer.read_until("GET /a "),
              "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 7\r\n\r\nGET /a ");
    peer.send("POST /b HTTP/1.1\r\nHost: h\r\n" + offer + "Content-Length: 2\r\n\r\nhi");
    EXPECT_TRUE(peer.read_until("POST /b hi").starts_with("HTTP/1.1 200 "));
  }
}

TEST(HttpServer, a_missing_subprotocol_is_named_in_the_refusal) {
  TestServer server;
  RawPeer peer(server.port);
  peer.send(TestServer::handshake("/v1/ws", "other"));
  const std::string answer = peer.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_NE(answer.find("The WebSocket needs the subprotocol test.v1."), answer.npos) << answer;
}

TEST(HttpServer, connections_beyond_the_limit_are_closed_and_the_others_feel_nothing) {
  base::Limits limits;
  limits.connections_max = 2;
  TestServer server(limits);
  RawPeer websocket = server.raw_websocket();
  RawPeer first(server.port);
  first.send(get("/a"));
  first.read_until("GET /a ");
  RawPeer third(server.port);
  third.send(get("/a"));
  EXPECT_EQ(third.read_to_end(), "");
  first.send(get("/b"));
  first.read_until("GET /b ");
  websocket.vanish();
  EXPECT_TRUE(wait_until(server.reactor, [&] { return server.connections->value() == 1; }));
  RawPeer again(server.port);
  again.send(get("/c"));
  again.read_until("GET /c ");
}

TEST(HttpServer, accepting_goes_on_after_the_process_ran_out_of_files) {
  TestServer server;
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  RawPeer peer(server.port);
  peer.send(get("/a"));
  peer.read_until("GET /a ");

  // UBSan opens a pipe when it meets a type for the first time: what the shortage will run has run before.
  run_on(server.reactor, [] { base::log_warning("this test takes all descriptors"); });

  // The next client gets the last descriptor, the server none.
  rlimit small = before;
  FileDescriptor probe(::dup(0));
  small.rlim_cur = static_cast<rlim_t>(probe.get()) + 1;
  probe.reset();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  RawPeer waiting(server.port);
  waiting.send(get("/b"));
  peer.send(get("/still"));
  peer.read_until("GET /still ");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  waiting.read_until("GET /b ");
}

TEST(HttpServer, listeners_of_several_reactors_share_a_port_and_strangers_are_refused) {
  TestServer first;
  Reactor reactor("second");
  reactor.start();
  HttpServerOptions options;
  options.port = first.port;
  options.subprotocol = "test.v1";
  auto refused = HttpServer::listen(reactor, first, options);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().sentence.find("in use"), std::string::npos) << refused.error().sentence;
  options.joins = true;
  auto joined = run_on(reactor, [&] { return HttpServer::listen(reactor, first, options); });
  ASSERT_TRUE(joined.ok());
  EXPECT_EQ((*joined)->port(), first.port);
  run_on(reactor, [&] { (*joined).reset(); });
}

TEST(HttpServer, one_that_stopped_accepting_goes_on_with_its_connections) {
  TestServer server;
  RawPeer peer(server.port);
  peer.send(get("/a"));
  peer.read_until("GET /a ");
  run_on(server.reactor, [&] { server.server->stop_accepting(); });
  peer.send(get("/b"));
  peer.read_until("GET /b ");
}

TEST(HttpServer, goes_with_requests_and_connections_open) {
  auto server = std::make_unique<TestServer>();
  RawPeer waiting(server->port);
  waiting.send(get("/keep"));
  RawPeer half(server->port);
  half.send("GET / HT");
  RawPeer websocket = server->raw_websocket();
  EXPECT_TRUE(wait_until(server->reactor, [&] { return server->kept_replies.size() == 1; }));
  server.reset();
  EXPECT_EQ(waiting.read_to_end(), "");
}

TEST(HttpClient, gets_an_answer_or_a_sentence) {
  TestServer server;
  const auto ask = [&](const std::string& host, uint16_t port, const HttpRequest& request) {
    std::promise<base::Result<HttpResponse>> promise;
    http_request(server.reactor, host, port, request,
                 [&](auto result) { promise.set_value(std::move(result)); });
    return promise.get_future().get();
  };
  for (const std::string host : {"127.0.0.1", "localhost"}) {
    const auto answer = ask(host, server.port, {"POST", "/caf\xc3\xa9 x", "q=1", {{"x-y", "z"}}, "body", ""});
    ASSERT_TRUE(answer.ok()) << answer.error().sentence;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "POST /caf\xc3\xa9 x body");
    EXPECT_EQ(*find_header(answer->headers, "Content-Type"), "text/plain");
  }
  EXPECT_EQ(ask("127.0.0.1", server.port, {"GET", "/large", "", {}, "", ""})->body.size(), 8u << 20);
  EXPECT_TRUE(ask("127.0.0.1", server.port, {"HEAD", "/large", "", {}, "", ""})->body.empty());
  const auto dropped = ask("127.0.0.1", server.port, {"GET", "/drop", "", {}, "", ""});
  ASSERT_FALSE(dropped.ok());
  EXPECT_NE(dropped.error().sentence.find("closed the connection"), std::string::npos)
      << dropped.error().sentence;
  run_on(server.reactor, [&] { server.server->stop_accepting(); });
  const auto refused = ask("127.0.0.1", server.port, {"GET", "/", "", {}, "", ""});
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().sentence.find("refused"), std::string::npos) << refused.error().sentence;
  EXPECT_FALSE(ask("no such name.invalid", 1, {"GET", "/", "", {}, "", ""}).ok());
}

TEST(HttpClient, a_request_that_is_still_open_goes_with_its_reactor) {
  TestServer server;
  {
    Reactor reactor("client");
    reactor.start();
    http_request(reactor, "127.0.0.1", server.port, {"GET", "/keep", "", {}, "", ""},
                 [](auto) { ADD_FAILURE(); });
    EXPECT_TRUE(wait_until(server.reactor, [&] { return server.kept_replies.size() == 1; }));
  }
}

}  // namespace
}  // namespace tidings::net
