// For tests of net/: a server on its own reactor that answers with what it was asked and echoes every
// message.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/http.h"
#include "net/raw_peer.h"

namespace tidings::net {

// One end of a WebSocket that writes down what it hears. On its reactor.
struct Ear final : WebSocket::Handler {
  explicit Ear(std::unique_ptr<WebSocket> s, bool echoes = false) : socket(std::move(s)), echo(echoes) {
    socket->set_handler(this);
  }
  void on_message(std::string_view text) override {
    EXPECT_EQ(closed_count, 0);
    if (keep) messages.emplace_back(text);
    bytes += text.size();
    if (echo) socket->send(text);
  }
  void on_closed(uint16_t closed_code, std::string_view closed_reason) override {
    ++closed_count;
    code = closed_code;
    reason = closed_reason;
  }

  std::unique_ptr<WebSocket> socket;
  std::vector<std::string> messages;
  bool echo;
  bool keep = true;
  size_t bytes = 0;
  int closed_count = 0;
  int code = 0;
  std::string reason;
};

struct TestServer final : HttpHandler {
  explicit TestServer(base::Limits with = {}, HttpServerOptions options = {}) : limits(with) {
    reactor.start();
    run_on(reactor, [&] {
      options.subprotocol = "test.v1";
      options.origins = {"https://chat.example"};
      options.limits = &limits;
      options.connections = connections;
      server = HttpServer::listen(reactor, *this, options).value();
    });
    port = server->port();
  }
  ~TestServer() override {
    run_on(reactor, [this] {
      ears.clear();
      kept_replies.clear();
      server.reset();
    });
    reactor.stop();
  }

  void on_request(HttpRequest request, HttpReply reply) override {
    ++requests;
    if (request.path == "/keep") return kept_replies.push_back(std::move(reply));
    if (request.path == "/drop") return;
    if (request.path == "/peer") return reply({200, {}, request.peer});
    if (request.path == "/large") return reply({200, {}, std::string(8u << 20, 'L')});
    if (request.path == "/later") {
      // On the heap, because a task that is copied nowhere may still be moved.
      auto kept = std::make_shared<HttpReply>(std::move(reply));
      reactor.after(std::chrono::milliseconds(5), [kept] { (*kept)({200, {}, "later"}); });
      return;
    }
    reply({200, {{"content-type", "text/plain"}}, request.method + " " + request.path + " " + request.body});
  }
  void on_websocket(std::unique_ptr<WebSocket> socket) override {
    ears.push_back(std::make_unique<Ear>(std::move(socket), echo));
  }
  HttpResponse refusal(int status, std::string_view detail) override {
    return {status, {}, std::string(detail) + "refused"};
  }

  Ear& ear(size_t i) {
    EXPECT_TRUE(wait_until(reactor, [&] { return ears.size() > i; }));
    return *ears[i];
  }
  // The handshake, with more bytes right behind it.
  RawPeer raw_websocket(std::string_view early = {}, int receive_buffer_bytes = 0) {
    RawPeer peer(port, receive_buffer_bytes);
    peer.send(handshake() + std::string(early));
    const std::string answer = peer.read_until("\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 ")) << answer;
    EXPECT_NE(answer.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), answer.npos) << answer;
    return peer;
  }
  static std::string handshake(std::string_view path = "/v1/ws",
                               std::string_view subprotocol = "other, test.v1") {
    return "GET " + std::string(path) +
           " HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\nConnection: keep-alive, "
           "Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " +
           std::string(subprotocol) + "\r\n\r\n";
  }

  base::Limits limits;
  std::shared_ptr<base::Gauge> connections = std::make_shared<base::Gauge>();
  Reactor reactor{"server"};
  std::unique_ptr<HttpServer> server;
  std::vector<std::unique_ptr<Ear>> ears;
  std::vector<HttpReply> kept_replies;
  uint16_t port = 0;
  int requests = 0;
  bool echo = true;
};

}  // namespace tidings::net
