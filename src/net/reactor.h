// A thread's event loop: sockets on epoll, timers on a wheel. One per core ("shard"); everything that lives
// on a shard is touched by its reactor's thread alone.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/executor.h"

namespace tidings::net {

class BufferPool;
class Names;
class Poller;
class WebSocketDeflate;

class Reactor : public base::Executor {
 public:
  explicit Reactor(std::string name);
  ~Reactor() override;  // stops

  // Posts are collected behind a mutex and run in batches, one wake-up each. Timers stand on a coarse wheel
  // (10 ms).
  void post(base::Task task) override;
  base::TimerId after(base::nanoseconds delay, base::Task task) override;
  void cancel(base::TimerId timer) override;

  // Starts the thread. Until then after() may be called from the thread that builds.
  void start();
  // Runs what is posted, then ends the thread and closes what it owns. Idempotent; from another thread.
  void stop();

  // For tests that have no thread for it: one turn, without waiting. Whether anything was to be done.
  bool turn();

  // For net/ only.
  Poller& poller();
  Names& names();
  BufferPool& buffers();
  WebSocketDeflate& deflate();
  // One receive buffer for all sockets of this thread (64 KiB + one frame header); valid until the next read.
  char* receive_buffer();
  size_t receive_buffer_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidings::net
