// A WebSocket after its handshake, over a connected TCP socket, plain or inside TLS, in either role.
#pragma once

#include <memory>
#include <string>

#include "base/metrics.h"
#include "net/address.h"
#include "net/outbox.h"
#include "net/poller.h"
#include "net/stream.h"
#include "net/websocket.h"
#include "net/websocket_codec.h"

namespace tidings::net {

// What all WebSockets of one listener share.
struct WebSocketKind {
  WebSocketRole role = WebSocketRole::server;
  size_t message_bytes_max = 64 * 1024;
  std::string subprotocol;  // "": none is asked for, and none told
  bool takes_binary = false;
  WebSocketClose on_binary{1003, "only text is taken"};
  WebSocketCompression compression = WebSocketCompression::off;
  std::shared_ptr<base::Gauge>
      connections;  // a place in it is given back when the socket is closed; may be null
};

// Reads nothing until it has a handler. An idle one holds no buffer.
class WebSocketConnection final : public WebSocket, private Pollable {
 public:
  // `outbox`: bytes that go out first (the answer to the upgrade). `early`: what the peer sent behind its
  // handshake. `window_bits`: of what is compressed for it, if that was agreed on; else 0.
  WebSocketConnection(Reactor& reactor, Stream socket, std::shared_ptr<const WebSocketKind> kind,
                      const Address& peer, Outbox outbox, std::string_view early, uint8_t window_bits = 0);
  ~WebSocketConnection() override;

  void set_handler(Handler* handler) override;
  void send(std::string_view text) override;
  void send_binary(std::string_view bytes) override;
  bool send_encoded(const base::SharedBytes& texts) override;
  size_t outbox_bytes() const override { return outbox_.bytes(); }
  void close(uint16_t code, std::string_view reason) override;
  void pause_reading(bool pause) override;
  MovedWebSocket move_out() override;
  std::string peer() const override { return peer_.text(); }
  const std::string& subprotocol() const override { return kind_->subprotocol; }

 private:
  enum class Phase : uint8_t {
    open,
    closing,   // our close frame is queued or sent; what arrives is read only for the peer's
    refusing,  // the peer broke the rules: our close frame goes out, what arrives is thrown away
    echoing,   // the peer closed: our answer goes out, then we are done
    closed,
  };
  struct Ending {
    uint16_t code;
    std::string reason;
  };
  struct Moved;
  WebSocketConnection(Reactor& reactor, Moved moved);

  void on_ready(uint32_t events) override;
  void on_turn_end() override;
  void read();
  // False if this object may be gone.
  bool take(std::span<char> bytes);
  bool take(const WebSocketEvent& event);
  void flush();
  // Tells the poller what is waited for.
  void listen();
  void on_drained();
  void append_message(WebSocketOpcode opcode, std::string_view message);
  void append(WebSocketOpcode opcode, std::string_view payload, bool compressed = false);
  void begin_end(Phase phase, uint16_t code, std::string_view reason);
  void limit_end();
  void release();
  // The last thing to be called: the handler may destroy this object.
  void finish(uint16_t code, std::string_view reason);
  void finish_broken();

  std::shared_ptr<const WebSocketKind> kind_;
  Reactor& reactor_;
  Handler* handler_ = nullptr;
  WebSocketDecoder decoder_;
  Outbox outbox_;
  std::unique_ptr<Ending> ending_;
  std::unique_ptr<std::string> early_;  // received, to be taken when the turn ends
  bool* gone_ = nullptr;                // set by the destructor while a handler is called
  base::TimerId timer_ = 0;
  uint64_t mask_state_ = 0;
  Stream socket_;
  Address peer_;
  uint8_t window_bits_ = 0;  // 0: without compression
  Phase phase_ = Phase::open;
  bool reading_ = false;  // in the poller
  bool paused_ = false;
  bool blocked_ = false;  // the kernel takes no more: wait until the socket is writable
};

}  // namespace tidings::net
