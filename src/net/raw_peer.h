// For tests of net/: a blocking socket that says exactly what a test wants, and a way to run code on a
// reactor and wait.
#pragma once

#include <future>
#include <memory>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "net/file_descriptor.h"
#include "net/reactor.h"

namespace tidings::net {

// Waits at most this long for what a test expects to happen.
constexpr std::chrono::seconds patience(20);

// Runs `function` on the reactor and waits for it.
template <class F>
auto run_on(Reactor& reactor, F function) {
  std::packaged_task<decltype(function())()> task(std::move(function));
  auto result = task.get_future();
  reactor.post([&task] { task(); });
  if (result.wait_for(patience) != std::future_status::ready) {
    ADD_FAILURE() << "the reactor hangs";
    std::abort();
  }
  return result.get();
}

// Looks at `condition` on the reactor, at each tick, until it holds.
inline bool wait_until(Reactor& reactor, std::function<bool()> condition) {
  struct Waiting {
    Reactor& reactor;
    std::function<bool()> condition;
    std::promise<bool> promise;
    std::chrono::steady_clock::time_point end = std::chrono::steady_clock::now() + patience;
    static void look(const std::shared_ptr<Waiting>& self) {
      if (self->condition()) return self->promise.set_value(true);
      if (std::chrono::steady_clock::now() > self->end) return self->promise.set_value(false);
      self->reactor.after(std::chrono::milliseconds(1), [self] { look(self); });
    }
  };
  const auto waiting = std::make_shared<Waiting>(Waiting{reactor, std::move(condition), {}});
  auto result = waiting->promise.get_future();
  reactor.post([waiting] { Waiting::look(waiting); });
  return result.get();
}

class RawPeer {
 public:
  explicit RawPeer(uint16_t port, int receive_buffer_bytes = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer_bytes > 0) {
      ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << errno;
  }

  // False if the peer has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // Sends whole frames until the machines between are full or `bytes_max` are sent; how much that was.
  size_t send_without_waiting(std::string_view frame, size_t bytes_max) {
    const timeval short_limit{.tv_sec = 0, .tv_usec = 300'000};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &short_limit, sizeof short_limit);
    size_t sent = 0;
    while (sent < bytes_max) {
      const size_t at = sent % frame.size();
      const ssize_t n = ::send(socket_.get(), frame.data() + at, frame.size() - at, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<size_t>(n);
    }
    return sent;
  }
  // What has been received and not been taken, once it holds `mark`; up to and with the mark.
  std::string read_until(std::string_view mark) {
    for (;;) {
      if (const size_t at = received_.find(mark); at != received_.npos) return take(at + mark.size());
      if (!receive()) {
        ADD_FAILURE() << "the end came before \"" << mark << "\", after \"" << received_ << '"';
        return {};
      }
    }
  }
  std::string read_bytes(size_t n) {
    while (received_.size() < n) {
      if (!receive()) {
        ADD_FAILURE() << "the end came after \"" << received_ << '"';
        return {};
      }
    }
    return take(n);
  }
  // All until the peer closes or resets.
  std::string read_to_end() {
    while (receive()) {
    }
    return std::move(received_);
  }
  int fd() const { return socket_.get(); }
  void half_close() { ::shutdown(socket_.get(), SHUT_WR); }
  // The peer gets a reset.
  void vanish() {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    socket_.reset();
  }

 private:
  bool receive() {
    char buffer[65536];
    const ssize_t n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (n < 0 && errno != ECONNRESET) ADD_FAILURE() << "recv: errno " << errno;
    if (n <= 0) return false;
    received_.append(buffer, static_cast<size_t>(n));
    return true;
  }
  std::string take(size_t n) {
    std::string out = received_.substr(0, n);
    received_.erase(0, n);
    return out;
  }

  FileDescriptor socket_;
  std::string received_;
};

}  // namespace tidings::net
