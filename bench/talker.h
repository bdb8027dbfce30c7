// A client that waits for each answer, on a reactor's socket: for workloads in which one person asks.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/reactor.h"
#include "net/websocket.h"
#include "wire/frames.h"

namespace tidings::bench {

// Thread: the caller's; what cannot go on ends the program.
class Talker : net::WebSocket::Handler {
 public:
  Talker(net::Reactor& reactor, uint16_t port, const wire::Hello& hello);
  ~Talker() override;
  Talker(const Talker&) = delete;

  const wire::Welcome& welcome() const { return welcome_; }
  void send(std::string frame);
  // The next frame of this kind; others are dropped, an error ends the program.
  template <class Frame>
  Frame next() {
    for (;;) {
      auto frame = take();
      if (auto* wanted = std::get_if<Frame>(&frame)) return std::move(*wanted);
      refuse(frame);
    }
  }
  // Sends commands of the requests 1…, some at a time, until each was answered ok; the conversations of the
  // answers.
  std::vector<model::ConversationId> run(const std::vector<std::string>& commands);
  uint64_t bytes() const { return bytes_; }

 private:
  void on_message(std::string_view text) override;
  void on_closed(uint16_t code, std::string_view reason) override;
  wire::ServerFrame take();
  static void refuse(const wire::ServerFrame& frame);

  net::Reactor& reactor_;
  std::unique_ptr<net::WebSocket> socket_;  // the reactor's
  wire::Welcome welcome_;
  uint64_t unacked_bytes_ = 0;       // the reactor's
  uint64_t counted_ = 0, told_ = 0;  // frames that came and those acknowledged; the reactor's
  std::atomic<uint64_t> bytes_{0};
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<wire::ServerFrame> frames_;  // with mutex_
};

}  // namespace tidings::bench
