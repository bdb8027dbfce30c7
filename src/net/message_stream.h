// Messages between two processes of one machine, whatever carries them: a Unix socket (unix_stream.h) or the
// simulator. They arrive whole and in order, or not at all after some point.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/executor.h"
#include "base/result.h"

namespace tidings::net {

class MessageStream;

// Told on the stream's thread. The stream may be destroyed in each of these.
class MessageHandler {
 public:
  virtual ~MessageHandler() = default;
  virtual void on_message(std::string_view message) = 0;
  // Before what was sent in a turn is written; only if at_turn_end() was called in it.
  virtual void on_turn_end() {}
  // The other end has gone, or sent what is no message, or more than message_bytes_max at once. Nothing
  // follows.
  virtual void on_closed() = 0;
};

// One that is connected and has no handler yet, so that it may go to another thread. Called once, there, with
// that thread's executor, it becomes a stream; `handler` outlives it. Dropped, it is closed.
using MessageSocket = base::UniqueFunction<std::unique_ptr<MessageStream>(
    base::Executor& on, MessageHandler& handler, size_t message_bytes_max)>;

// Thread: that of its executor.
class MessageStream {
 public:
  virtual ~MessageStream() = default;  // closes

  // Written once when this turn ends. Nothing if the stream is closed. Unbounded: who sends looks at
  // unsent_bytes().
  virtual void send(std::string_view message) = 0;
  // Writes now what is taken, for the last words of one that is about to be destroyed.
  virtual void flush() = 0;
  virtual size_t unsent_bytes() const = 0;
  virtual void at_turn_end() = 0;
  // For another thread; this stream is closed and tells nobody. Not if anything was received behind the
  // message that is being told, or is unsent: then the result is empty.
  virtual MessageSocket release() = 0;
};

// Connects at once or not at all. Thread: any.
using Connect = std::function<base::Result<MessageSocket>()>;

// Connections are taken while it exists.
class MessageListener {
 public:
  virtual ~MessageListener() = default;
};
// `on_accept` runs on the thread on which the listener is.
using Listen = std::function<base::Result<std::unique_ptr<MessageListener>>(
    std::function<void(MessageSocket)> on_accept)>;

}  // namespace tidings::net
