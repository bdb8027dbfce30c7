#include "test/contract/transport_contract.h"

#include "engine/embedded/websocket_transport.h"
#include "net/http.h"
#include "net/raw_peer.h"
#include "net/test_certificate.h"

namespace tidings::contract {
namespace {

// A WebSocket over loopback, in the clear or inside TLS: `a` is the client, `b` the server.
template <bool secure>
class WebSocketFixture : private net::HttpHandler {
 public:
  struct Pair {
    std::unique_ptr<ports::Transport> a, b;
  };

  WebSocketFixture() {
    reactor_.start();
    other_.start();
    on_loop([this] {
      net::HttpServerOptions options;
      options.subprotocol = "contract";
      if (secure) {
        options.tls =
            net::TlsIdentity::load(certificate_.certificate_path(), certificate_.key_path()).value();
        trust_ = net::TlsTrust::load(certificate_.certificate_path()).value();
      }
      server_ = net::HttpServer::listen(reactor_, *this, options).value();
    });
  }
  ~WebSocketFixture() override {
    on_loop([this] { server_.reset(); });
    reactor_.stop();
    other_.stop();
  }

  Pair connect() {
    on_loop([this] {
      net::connect_websocket(reactor_, "127.0.0.1", server_->port(), "/v1/ws", "contract", {.tls = trust_},
                             [this](auto socket) {
                               if (socket) pair_.a = embedded::websocket_transport(std::move(*socket));
                             });
    });
    EXPECT_TRUE(run_until([this] { return pair_.a && pair_.b; }));
    return std::move(pair_);
  }
  void on_loop(const std::function<void()>& call) { net::run_on(reactor_, call); }
  bool run_until(const std::function<bool()>& done) { return net::wait_until(reactor_, done); }
  base::Executor& other() { return other_; }
  void on_other(const std::function<void()>& call) { net::run_on(other_, call); }
  bool run_other_until(const std::function<bool()>& done) { return net::wait_until(other_, done); }

 private:
  void on_request(net::HttpRequest, net::HttpReply reply) override { reply({404, {}, ""}); }
  void on_websocket(std::unique_ptr<net::WebSocket> socket) override {
    pair_.b = embedded::websocket_transport(std::move(socket));
  }
  net::HttpResponse refusal(int status, std::string_view) override { return {status, {}, ""}; }

  net::TestCertificate certificate_;
  std::shared_ptr<net::TlsTrust> trust_;
  net::Reactor reactor_{"contract"};
  net::Reactor other_{"other"};
  std::unique_ptr<net::HttpServer> server_;
  Pair pair_;
};

using Plain = WebSocketFixture<false>;
using Secure = WebSocketFixture<true>;
INSTANTIATE_TYPED_TEST_SUITE_P(WebSocket, TransportContract, Plain);
INSTANTIATE_TYPED_TEST_SUITE_P(WebSocket, PausingTransportContract, Plain);
INSTANTIATE_TYPED_TEST_SUITE_P(WebSocket, MovingTransportContract, Plain);
INSTANTIATE_TYPED_TEST_SUITE_P(SecureWebSocket, TransportContract, Secure);
INSTANTIATE_TYPED_TEST_SUITE_P(SecureWebSocket, PausingTransportContract, Secure);
INSTANTIATE_TYPED_TEST_SUITE_P(SecureWebSocket, MovingTransportContract, Secure);

}  // namespace
}  // namespace tidings::contract
