#include "bench/raw_fan_out.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/real_server.h"
#include "bench/report.h"

namespace tidings::bench {
namespace {

constexpr size_t message_bytes = 128;  // the first 8 are the time at which it was to be sent

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void set_up(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void add(int poll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

[[noreturn]] void relay(int listener, int people) {
  pin(0, 0);
  const int poll = epoll_create1(0);
  std::vector<int> sockets;
  for (int i = 0; i < people; ++i) {
    const int fd = accept(listener, nullptr, nullptr);
    if (fd < 0) _exit(3);
    set_up(fd);
    add(poll, fd);
    sockets.push_back(fd);
  }
  char name[] = "/tmp/tidings-fan-out-XXXXXX";
  const int file = mkstemp(name);
  unlink(name);
  std::vector<epoll_event> events(1024);
  std::string group;
  std::vector<int> from;  // of each message of the group
  char buffer[64 * 1024];
  for (;;) {
    const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    group.clear();
    from.clear();
    for (int e = 0; e < ready; ++e) {
      const int fd = events[static_cast<size_t>(e)].data.fd;
      const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      if (got == 0) _exit(0);
      if (got < 0) continue;
      if (static_cast<size_t>(got) % message_bytes != 0) _exit(2);
      group.append(buffer, static_cast<size_t>(got));
      from.resize(group.size() / message_bytes, fd);
    }
    if (group.empty()) continue;
    if (write(file, group.data(), group.size()) < 0 || fdatasync(file) != 0) _exit(4);
    for (const int fd : sockets) {
      for (size_t i = 0; i < from.size(); ++i) {
        if (from[i] == fd) continue;
        if (send(fd, group.data() + i * message_bytes, message_bytes, MSG_NOSIGNAL) < 0) _exit(0);
      }
    }
  }
}

}  // namespace

FanOutResult run_raw_fan_out(int people, int senders, double messages_per_second, double seconds) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, people) != 0)
    give_up("listen");
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) relay(listener, people);

  cpu_set_t before;
  sched_getaffinity(0, sizeof before, &before);
  pin(0, 1);
  const int poll = epoll_create1(0);
  std::vector<int> sockets;
  for (int i = 0; i < people; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) give_up("connect");
    set_up(fd);
    add(poll, fd);
    sockets.push_back(fd);
  }
  const auto interval_ns = static_cast<int64_t>(1e9 / messages_per_second);
  const int64_t begun = now_ns(), end = begun + static_cast<int64_t>(seconds * 1e9);
  int64_t next = begun;
  uint64_t sent = 0, received_bytes = 0;
  std::vector<double> latencies;
  std::unordered_map<int, size_t> torn;
  std::vector<epoll_event> events(1024);
  std::vector<char> buffer(64 * 1024);
  const auto expected = [&] { return sent * static_cast<uint64_t>(people - 1) * message_bytes; };
  while (now_ns() < end || (received_bytes < expected() && now_ns() < end + 5'000'000'000)) {
    for (; next < end && next <= now_ns(); next += interval_ns) {
      char message[message_bytes] = {};
      std::memcpy(message, &next, sizeof next);
      if (send(sockets[sent % static_cast<uint64_t>(senders)], message, sizeof message, MSG_NOSIGNAL) < 0)
        give_up("send");
      ++sent;
    }
    const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), 1);
    for (int e = 0; e < ready; ++e) {
      const int fd = events[static_cast<size_t>(e)].data.fd;
      const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) continue;
      received_bytes += static_cast<uint64_t>(got);
      size_t& phase = torn[fd];
      const int64_t now = now_ns();
      for (size_t at = (message_bytes - phase) % message_bytes; at + 8 <= static_cast<size_t>(got);
           at += message_bytes) {
        int64_t scheduled = 0;
        std::memcpy(&scheduled, buffer.data() + at, sizeof scheduled);
        latencies.push_back(static_cast<double>(now - scheduled) / 1e6);
      }
      phase = (phase + static_cast<size_t>(got)) % message_bytes;
    }
  }
  for (const int fd : sockets) close(fd);
  close(poll);
  close(listener);
  rusage usage{};
  wait4(child, nullptr, 0, &usage);
  sched_setaffinity(0, sizeof before, &before);
  if (received_bytes != expected()) give_up("the raw relay lost messages");
  const auto us = [](timeval t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  FanOutResult result;
  result.server_us_per_message = (us(usage.ru_utime) + us(usage.ru_stime)) / static_cast<double>(sent);
  result.server_us_per_delivery = result.server_us_per_message / (people - 1);
  result.p50_ms = percentile(latencies, 50);
  result.p99_ms = percentile(latencies, 99);
  return result;
}

}  // namespace tidings::bench
