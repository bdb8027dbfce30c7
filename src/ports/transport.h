#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/executor.h"
#include "base/shared_bytes.h"
#include "base/task.h"

namespace tidings::ports {

class Transport;
// A transport on its way to another thread: nobody reads or writes it. Called once, there, with that thread's
// executor, it is made again, without a handler; dropped, it cuts the connection.
using MovedTransport = base::UniqueFunction<std::unique_ptr<Transport>(base::Executor& to)>;

// Text messages in their order that many transports of one thread are to send.
struct SharedFrames {
  std::span<const std::string_view> frames;
  // How they are written, made by the first transport that can share that with its like.
  base::SharedBytes encoded;
};

// Frames to and from one peer, whatever carries them: a WebSocket, a poll, the simulator. Frames arrive whole
// and in order or not at all after some point; nothing is repeated. One thread (the shard or executor it was
// made on).
class Transport {
 public:
  // Who is told. Calls come on the transport's thread and never from inside send() or close().
  class Handler {
   public:
    virtual ~Handler() = default;
    // One text message of the peer: valid UTF-8, within the frame limit. The view lives during the call.
    virtual void on_frame(std::string_view frame) = 0;
    // Once, and nothing after it. `code` and `reason` are the peer's or the transport's (1006: it just
    // broke); after an own close() it is called, too.
    virtual void on_closed(uint16_t code, std::string_view reason) = 0;
  };

  virtual ~Transport() = default;

  // Whom to tell; set once, before the transport's loop turns.
  virtual void set_handler(Handler* handler) = 0;
  // Queues one text message; all that was queued in one turn of the loop goes out in one write. Dropped after
  // close().
  virtual void send(std::string_view frame) = 0;
  // The same as send() of each of them; cheaper, if the transport knows how.
  virtual void send_shared(SharedFrames& shared) {
    for (const auto frame : shared.frames) send(frame);
  }
  // Bytes queued and not yet taken by the peer's machine.
  virtual size_t outbox_bytes() const = 0;
  // Sends what is queued if the peer takes it within a second, then the close, then ends. Idempotent.
  // Destroying a transport instead cuts it at once.
  virtual void close(uint16_t code, std::string_view reason) = 0;
  // The frame limit was passed, UTF-8 was invalid and the like are closed by the transport itself (1009,
  // 1007, 1002).

  // Reads nothing more until it is told to go on: what the peer sends waits in its own machine.
  virtual void pause_reading(bool pause) { (void)pause; }
  // Takes the connection off this thread; what is left of this object is to be destroyed and calls nobody any
  // more. Not inside a call of the handler. Empty: this kind cannot, nothing has changed.
  virtual MovedTransport move_out() { return {}; }

  // Who it is, for log lines and limits by address ("" if unknown).
  virtual std::string peer() const = 0;
};

}  // namespace tidings::ports
