// People on one reactor, as clients that parse what they get: connected, greeted, and handed what comes.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "bench/real_server.h"
#include "client/cpp/acks.h"
#include "engine/embedded/system_clock.h"
#include "net/reactor.h"
#include "net/websocket.h"
#include "wire/frames.h"

namespace tidings::bench {

class Crowd {
 public:
  struct Line : net::WebSocket::Handler {
    Crowd* crowd = nullptr;
    size_t index = 0;
    std::unique_ptr<net::WebSocket> socket;
    client::Acks acks;
    void send(const std::string& frame) { socket->send(frame); }
    void on_message(std::string_view text) override;
    void on_closed(uint16_t code, std::string_view reason) override;
  };
  // On the reactor.
  using OnFrame = std::function<void(Line&, const wire::ServerFrame&)>;

  Crowd(std::vector<Person> people, uint16_t port, OnFrame on_frame);
  ~Crowd();
  Crowd(const Crowd&) = delete;

  // From the reactor: everybody connects, on core 1, and says hello.
  void connect();
  // Acknowledges at once what is due when a frame comes.
  bool acknowledges_at_frames = false;

  size_t size() const { return lines_.size(); }
  Line& line(size_t index) { return *lines_[index]; }
  const Person& person(size_t index) const { return people_[index]; }
  net::Reactor& reactor() { return reactor_; }
  embedded::SystemClock& clock() { return clock_; }
  uint64_t bytes() const { return bytes_; }
  model::ClientId next_client_id(const Line& line) {
    return {model::uuid_v7(clock_.wall(), line.index & 0xfff, ++client_ids_)};
  }
  // Runs `call` on the reactor and waits for it.
  template <class F>
  void run(F call) {
    std::promise<void> done;
    reactor_.post([&] {
      call();
      done.set_value();
    });
    done.get_future().wait();
  }
  static model::ConversationId last_conversation() {
    model::ConversationId id;
    id.bytes.fill(0xFF);
    return id;
  }

 private:
  void connect(size_t index);
  void take(Line& line, std::string_view text);

  std::vector<Person> people_;
  const uint16_t port_;
  const OnFrame on_frame_;
  net::Reactor reactor_;
  embedded::SystemClock clock_;
  std::vector<std::unique_ptr<Line>> lines_;
  uint64_t client_ids_ = 0;
  std::atomic<uint64_t> bytes_{0};
};

}  // namespace tidings::bench
