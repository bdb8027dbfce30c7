// One WebSocket (RFC 6455) over TCP, either role: our own codec on Asio readiness. Knows nothing of chat.
// Lives on one reactor; all calls and callbacks on its thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/shared_bytes.h"
#include "base/task.h"
#include "net/reactor.h"
#include "net/tls.h"

namespace tidings::net {

class WebSocket;
// A socket on its way to another reactor: nobody reads or writes it. Called once, on that reactor's thread,
// it is made again, without a handler; dropped, on any thread, it cuts the connection.
using MovedWebSocket = base::UniqueFunction<std::unique_ptr<WebSocket>(Reactor& to)>;

class WebSocket {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    // One whole text message, valid UTF-8. (A binary message that is not taken closes with 1003, a too large
    // one with 1009, bad UTF-8 with 1007, a broken frame with 1002.) The view lives during the call.
    virtual void on_message(std::string_view text) = 0;
    // The same of a binary message, where a listener takes them.
    virtual void on_binary(std::string_view bytes) { (void)bytes; }
    // Once; nothing after it. The peer's code, the one that on a broken rule we closed with, or 1006 if the
    // connection just broke or an own close() was never answered.
    virtual void on_closed(uint16_t code, std::string_view reason) = 0;
  };

  virtual ~WebSocket() = default;  // cuts at once if still open
  // Nothing is read, and nothing lost, before there is one. Once.
  virtual void set_handler(Handler* handler) = 0;
  // Queues a text message; one write per socket and loop turn.
  virtual void send(std::string_view text) = 0;
  virtual void send_binary(std::string_view bytes) = 0;
  // The same as send() of each text that encode_texts() was given, without a copy where nothing else waits to
  // be written. False, and nothing is queued: here they go out differently (masked, or compressed).
  virtual bool send_encoded(const base::SharedBytes& texts) = 0;
  // Queued, not yet taken by the kernel.
  virtual size_t outbox_bytes() const = 0;
  // Sends what is queued if that takes at most a second, then the close frame, waits at most a second for the
  // peer's.
  virtual void close(uint16_t code, std::string_view reason) = 0;
  // The handler hears nothing, not even from what was received already, and the peer's bytes wait in the
  // kernel until this is taken back. A connection that breaks meanwhile still ends with 1006; an own close()
  // takes the pause back.
  virtual void pause_reading(bool pause) = 0;
  // Takes everything off this reactor: the connection, what was received and not told yet, what is not sent
  // yet. What is left of this object calls nobody and is to be destroyed. Not inside a call of the handler.
  // Empty, and nothing has changed, if the socket is closed or closing.
  virtual MovedWebSocket move_out() = 0;
  virtual std::string peer() const = 0;
  virtual const std::string& subprotocol() const = 0;
};

// How a server that does not compress writes these text messages.
base::SharedBytes encode_texts(std::span<const std::string_view> texts);

// How a connection ends: a close code and a reason of at most 123 bytes.
struct WebSocketClose {
  uint16_t code = 1000;
  std::string reason;
};

// Whether a listener agrees on permessage-deflate with who offers it (net/websocket_deflate.h).
enum class WebSocketCompression : uint8_t {
  off,
  on,      // what is short, or would not get smaller, goes as it is
  always,  // all that can be compressed is: for who wants to see it
};

struct WebSocketOptions {
  size_t message_bytes_max = 64 * 1024;
  std::shared_ptr<TlsTrust> tls;  // null: ws://, else wss://
};

// Connects to ws(s)://host:port/path with this subprotocol. `done` runs once on the reactor: the socket, or
// why not in a sentence. Time-out 10 s in all.
void connect_websocket(Reactor& reactor, const std::string& host, uint16_t port, const std::string& path,
                       const std::string& subprotocol, WebSocketOptions options,
                       std::function<void(base::Result<std::unique_ptr<WebSocket>>)> done);

}  // namespace tidings::net
