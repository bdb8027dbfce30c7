#include "client/cpp/websocket_transport.h"

#include "model/ids.h"
#include "wire/frames.h"

namespace tidings::client {

namespace {

// A page or a sync answer is larger than any frame that a client sends.
constexpr size_t message_bytes_max = 4 * 1024 * 1024;

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

base::Result<Address> parse_address(const std::string& text) {
  Address address;
  std::string host = text, port;
  const size_t colon = text.rfind(':');
  const bool bracketed = !text.empty() && text.front() == '[';
  if (bracketed) {
    const size_t end = text.find(']');
    if (end == std::string::npos) return base::failure("\"" + text + "\" is not HOST:PORT.");
    host = text.substr(1, end - 1);
    if (end + 1 < text.size()) port = text[end + 1] == ':' ? text.substr(end + 2) : "?";
  } else if (colon != std::string::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty()) port = "?";
  }
  if (!port.empty()) {
    const auto number = model::parse_decimal(port);
    if (!number || *number == 0 || *number > 65535)
      return base::failure("\"" + text + "\" is not HOST:PORT.");
    address.port = static_cast<uint16_t>(*number);
  }
  if (host.empty() || (!bracketed && host.find(':') != std::string::npos)) {
    return base::failure("\"" + text + "\" is not HOST:PORT.");
  }
  address.host = host;
  return address;
}

std::string to_text(const Address& address) {
  const bool six = address.host.find(':') != std::string::npos;
  return (six ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

void open_websocket(net::Reactor& reactor, const Address& address,
                    std::function<void(std::unique_ptr<ports::Transport>)> done) {
  net::connect_websocket(reactor, address.host, address.port, "/v1/ws", std::string(wire::subprotocol_json),
                         {.message_bytes_max = message_bytes_max},
                         [done = std::move(done)](base::Result<std::unique_ptr<net::WebSocket>> opened) {
                           if (!opened.ok()) return done(nullptr);
                           done(std::make_unique<WebSocketTransport>(std::move(*opened)));
                         });
}

}  // namespace tidings::client
