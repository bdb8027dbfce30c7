#include "client/cpp/websocket_transport.h"

#include "model/ids.h"
#include "wire/frames.h"

namespace tidings::client {

namespace {

// A page or a sync answer is larger than any frame that a client sends.
constexpr size_t message_bytes_max = 4 * 1024 * 1024;

struct Scheme {
  std::string_view prefix;
  bool tls;
  uint16_t port;
};
constexpr Scheme schemes[] = {
    {"wss://", true, 443}, {"https://", true, 443}, {"ws://", false, 80}, {"http://", false, 80}};

class WebSocketTransport final : public ports::Transport, net::WebSocket::Handler {
 public:
  explicit WebSocketTransport(std::unique_ptr<net::WebSocket> socket) : socket_(std::move(socket)) {}

  void set_handler(ports::Transport::Handler* handler) override {
    handler_ = handler;
    socket_->set_handler(this);
  }
  void send(std::string_view frame) override { socket_->send(frame); }
  size_t outbox_bytes() const override { return socket_->outbox_bytes(); }
  void close(uint16_t code, std::string_view reason) override { socket_->close(code, reason); }
  std::string peer() const override { return socket_->peer(); }

 private:
  void on_message(std::string_view text) override { handler_->on_frame(text); }
  void on_closed(uint16_t code, std::string_view reason) override { handler_->on_closed(code, reason); }

  std::unique_ptr<net::WebSocket> socket_;
  ports::Transport::Handler* handler_ = nullptr;
};

}  // namespace

base::Result<Address> parse_address(const std::string& text, const std::string& roots_path) {
  Address address;
  const auto wrong = [&] {
    return base::failure("\"" + text + "\" is not HOST:PORT, or wss://HOST:PORT for TLS.");
  };
  std::string host = text, port;
  bool tls = false;
  for (const Scheme& scheme : schemes) {
    if (!host.starts_with(scheme.prefix)) continue;
    host.erase(0, scheme.prefix.size());
    if (host.ends_with('/')) host.pop_back();
    tls = scheme.tls;
    address.port = scheme.port;
    break;
  }
  const size_t colon = host.rfind(':');
  const bool bracketed = !host.empty() && host.front() == '[';
  if (bracketed) {
    const size_t end = host.find(']');
    if (end == std::string::npos) return wrong();
    if (end + 1 < host.size()) port = host[end + 1] == ':' ? host.substr(end + 2) : "?";
    host = host.substr(1, end - 1);
  } else if (colon != std::string::npos) {
    port = host.substr(colon + 1);
    host.erase(colon);
    if (port.empty()) port = "?";
  }
  if (!port.empty()) {
    const auto number = model::parse_decimal(port);
    if (!number || *number == 0 || *number > 65535) return wrong();
    address.port = static_cast<uint16_t>(*number);
  }
  if (host.empty() || host.find('/') != std::string::npos ||
      (!bracketed && host.find(':') != std::string::npos))
    return wrong();
  address.host = host;
  if (!tls) return address;
  auto trust = net::TlsTrust::load(roots_path);
  if (!trust) return base::fail(trust.error());
  address.tls = std::move(*trust);
  return address;
}

std::string to_text(const Address& address) {
  const bool six = address.host.find(':') != std::string::npos;
  return (address.tls ? "wss://" : "") + (six ? "[" + address.host + "]" : address.host) + ":" +
         std::to_string(address.port);
}

void open_websocket(net::Reactor& reactor, const Address& address,
                    std::function<void(std::unique_ptr<ports::Transport>)> done) {
  net::connect_websocket(reactor, address.host, address.port, "/v1/ws", std::string(wire::subprotocol_json),
                         {.message_bytes_max = message_bytes_max, .tls = address.tls},
                         [done = std::move(done)](base::Result<std::unique_ptr<net::WebSocket>> opened) {
                           if (!opened.ok()) return done(nullptr);
                           done(std::make_unique<WebSocketTransport>(std::move(*opened)));
                         });
}

}  // namespace tidings::client
