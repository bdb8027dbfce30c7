// A client's connections to a server that speaks TLS.
#include <future>

#include <gtest/gtest.h>

#include "client/cpp/rest.h"
#include "client/cpp/websocket_transport.h"
#include "net/test_certificate.h"
#include "net/test_server.h"
#include "wire/frames.h"

namespace tidings::client {
namespace {

// Finds one person, and says back what it hears.
struct SecureServer final : net::HttpHandler {
  explicit SecureServer(const net::TestCertificate& certificate) {
    reactor.start();
    net::run_on(reactor, [&] {
      net::HttpServerOptions options;
      options.subprotocol = std::string(wire::subprotocol_json);
      options.limits = &limits;
      options.connections = std::make_shared<base::Gauge>();
      options.tls = net::TlsIdentity::load(certificate.certificate_path(), certificate.key_path()).value();
      server = net::HttpServer::listen(reactor, *this, options).value();
    });
  }
  ~SecureServer() override {
    net::run_on(reactor, [this] {
      ears.clear();
      server.reset();
    });
    reactor.stop();
  }
  void on_request(net::HttpRequest, net::HttpReply reply) override {
    reply({200, {}, R"({"users":[{"user":"22","handle":"bob","display_name":"Bob"}]})"});
  }
  void on_websocket(std::unique_ptr<net::WebSocket> socket) override {
    ears.push_back(std::make_unique<net::Ear>(std::move(socket), true));
  }
  net::HttpResponse refusal(int status, std::string_view) override { return {status, {}, ""}; }
  std::string url() const { return "wss://127.0.0.1:" + std::to_string(server->port()); }

  base::Limits limits;
  net::Reactor reactor{"server"};
  std::unique_ptr<net::HttpServer> server;
  std::vector<std::unique_ptr<net::Ear>> ears;
};

struct Heard final : ports::Transport::Handler {
  void on_frame(std::string_view frame) override { text.set_value(std::string(frame)); }
  void on_closed(uint16_t, std::string_view) override {}
  std::promise<std::string> text;
};

// What the server says back; nullopt if there is no connection.
std::optional<std::string> echo(net::Reactor& reactor, const Address& address) {
  Heard heard;
  std::unique_ptr<ports::Transport> open;
  std::promise<bool> opened;
  reactor.post([&] {
    open_websocket(reactor, address, [&](std::unique_ptr<ports::Transport> transport) {
      open = std::move(transport);
      if (open) {
        open->set_handler(&heard);
        open->send("{\"type\":\"hello\"}");
      }
      opened.set_value(open != nullptr);
    });
  });
  std::optional<std::string> text;
  if (opened.get_future().get()) text = heard.text.get_future().get();
  net::run_on(reactor, [&] { open.reset(); });
  return text;
}

TEST(SecureClient, TalksToAServerWhoseCertificateItBelieves) {
  const net::TestCertificate certificate, stranger;
  SecureServer server(certificate);
  net::Reactor reactor("client");
  reactor.start();
  const Address address = parse_address(server.url(), certificate.certificate_path()).value();
  EXPECT_EQ(echo(reactor, address), "{\"type\":\"hello\"}");
  EXPECT_EQ(echo(reactor, parse_address(server.url(), stranger.certificate_path()).value()), std::nullopt);
  EXPECT_EQ(echo(reactor, {address.host, address.port}), std::nullopt) << "without TLS";

  const auto find = [&](const Address& where) {
    Rest rest(reactor, where, "token");
    std::promise<bool> found;
    reactor.post([&] {
      rest.find_by_handle("bob", [&](auto answer) { found.set_value(answer.ok() && answer->has_value()); });
    });
    return found.get_future().get();
  };
  EXPECT_TRUE(find(address));
  EXPECT_FALSE(find({address.host, address.port}));
  reactor.stop();
}

}  // namespace
}  // namespace tidings::client
