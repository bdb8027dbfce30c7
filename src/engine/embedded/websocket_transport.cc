#include "engine/embedded/websocket_transport.h"

#include "base/check.h"

namespace tidings::embedded {

namespace {

class WebSocketTransport final : public ports::Transport, private net::WebSocket::Handler {
 public:
  explicit WebSocketTransport(std::unique_ptr<net::WebSocket> socket) : socket_(std::move(socket)) {}

  void set_handler(ports::Transport::Handler* handler) override {
    handler_ = handler;
    socket_->set_handler(handler ? this : nullptr);
  }
  void send(std::string_view frame) override { socket_->send(frame); }
  void send_shared(ports::SharedFrames& shared) override {
    if (!shared.encoded) shared.encoded = net::encode_texts(shared.frames);
    if (!socket_->send_encoded(shared.encoded)) Transport::send_shared(shared);
  }
  size_t outbox_bytes() const override { return socket_->outbox_bytes(); }
  void close(uint16_t code, std::string_view reason) override { socket_->close(code, reason); }
  void pause_reading(bool pause) override { socket_->pause_reading(pause); }
  ports::MovedTransport move_out() override {
    auto moved = socket_->move_out();
    if (!moved) return {};
    return [moved = std::move(moved)](base::Executor& to) mutable {
      auto* const reactor = dynamic_cast<net::Reactor*>(&to);
      TIDINGS_CHECK(reactor);
      return websocket_transport(moved(*reactor));
    };
  }
  std::string peer() const override { return socket_->peer(); }

 private:
  // Either may destroy this object.
  void on_message(std::string_view text) override { handler_->on_frame(text); }
  void on_closed(uint16_t code, std::string_view reason) override { handler_->on_closed(code, reason); }

  std::unique_ptr<net::WebSocket> socket_;
  ports::Transport::Handler* handler_ = nullptr;
};

}  // namespace

std::unique_ptr<ports::Transport> websocket_transport(std::unique_ptr<net::WebSocket> socket) {
  return std::make_unique<WebSocketTransport>(std::move(socket));
}

}  // namespace tidings::embedded
