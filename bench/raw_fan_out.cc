#include "bench/raw_fan_out.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/real_server.h"
#include "bench/report.h"
#include "bench/sockets.h"

namespace tidings::bench {
namespace {

constexpr size_t message_bytes = 128;  // the first 8 are the time at which it was to be sent

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// What came from one socket in one turn.
struct Part {
  size_t from;
  std::string bytes;
};

// Sockets in groups of `people` each, in the order in which they connect.
[[noreturn]] void relay(int listener, size_t groups, size_t people) {
  pin(0, 0);
  raise_file_limit();
  const int poll = epoll_create1(0);
  std::vector<int> sockets;
  std::unordered_map<int, size_t> index;
  for (size_t i = 0; i < groups * people; ++i) {
    const int fd = accept(listener, nullptr, nullptr);
    if (fd < 0) _exit(3);
    set_up(fd);
    add(poll, fd);
    index[fd] = sockets.size();
    sockets.push_back(fd);
  }
  char name[] = "/tmp/tidings-fan-out-XXXXXX";
  const int file = mkstemp(name);
  unlink(name);
  std::vector<epoll_event> events(1024);
  std::vector<std::vector<Part>> parts(groups);
  std::string group, without;
  char buffer[64 * 1024];
  for (;;) {
    const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    group.clear();
    for (int e = 0; e < ready; ++e) {
      const int fd = events[static_cast<size_t>(e)].data.fd;
      const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      if (got == 0) _exit(0);
      if (got < 0) continue;
      if (static_cast<size_t>(got) % message_bytes != 0) _exit(2);
      const size_t from = index[fd];
      parts[from / people].push_back({from, std::string(buffer, static_cast<size_t>(got))});
      group.append(buffer, static_cast<size_t>(got));
    }
    if (group.empty()) continue;
    if (write(file, group.data(), group.size()) < 0 || fdatasync(file) != 0) _exit(4);
    for (size_t g = 0; g < groups; ++g) {
      if (parts[g].empty()) continue;
      group.clear();
      for (const Part& part : parts[g]) group += part.bytes;
      for (size_t i = g * people; i < (g + 1) * people; ++i) {
        const bool sent_some = std::ranges::find(parts[g], i, &Part::from) != parts[g].end();
        if (sent_some) {
          without.clear();
          for (const Part& part : parts[g]) {
            if (part.from != i) without += part.bytes;
          }
        }
        const std::string& out = sent_some ? without : group;
        if (!out.empty() && send(sockets[i], out.data(), out.size(), MSG_NOSIGNAL) < 0) _exit(0);
      }
      parts[g].clear();
    }
  }
}

// The relay as a process, and its sockets here.
class Relay {
 public:
  Relay(size_t groups, size_t people) {
    raise_file_limit();
    auto [listener, address] = listen_on_loopback(static_cast<int>(std::min<size_t>(people, 4096)));
    std::fflush(stdout);
    child_ = fork();
    if (child_ == 0) relay(listener, groups, people);
    sched_getaffinity(0, sizeof before_, &before_);
    pin(0, 1);
    poll = epoll_create1(0);
    for (size_t i = 0; i < groups * people; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM, 0);
      if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("connect");
      set_up(fd);
      add(poll, fd);
      sockets.push_back(fd);
    }
    close(listener);
  }
  // The time that the relay has cost, in microseconds.
  double end() {
    for (const int fd : sockets) close(fd);
    close(poll);
    sched_setaffinity(0, sizeof before_, &before_);
    return cpu_us_of_ended(child_);
  }
  int poll = -1;
  std::vector<int> sockets;

 private:
  pid_t child_ = 0;
  cpu_set_t before_{};
};

}  // namespace

FanOutResult run_raw_fan_out(int people, int senders, double messages_per_second, double seconds) {
  Relay relay(1, static_cast<size_t>(people));
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
      if (send(relay.sockets[sent % static_cast<uint64_t>(senders)], message, sizeof message, MSG_NOSIGNAL) <
          0)
        give_up("send");
      ++sent;
    }
    const int ready = epoll_wait(relay.poll, events.data(), static_cast<int>(events.size()), 1);
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
  const double cpu_us = relay.end();
  if (received_bytes != expected()) give_up("the raw relay lost messages");
  FanOutResult result;
  result.server_us_per_message = cpu_us / static_cast<double>(sent);
  result.server_us_per_delivery = result.server_us_per_message / (people - 1);
  result.p50_ms = percentile(latencies, 50);
  result.p99_ms = percentile(latencies, 99);
  return result;
}

ClosedFanOutResult run_raw_fan_out_closed(size_t groups, size_t receivers, size_t window, double seconds) {
  const size_t people = receivers + 1;  // the first of each group is its sender
  Relay relay(groups, people);
  const std::string message(message_bytes, 'm');
  struct Group {
    uint64_t sent = 0, received_bytes = 0;
  };
  std::vector<Group> all(groups);
  std::unordered_map<int, size_t> index;
  for (size_t i = 0; i < relay.sockets.size(); ++i) index[relay.sockets[i]] = i;
  // Full is the window of a group until everybody has the oldest message; counted in bytes of all together.
  const auto fill = [&](size_t g) {
    Group& group = all[g];
    const uint64_t whole = group.received_bytes / (message_bytes * receivers);
    std::string burst;
    for (; group.sent < whole + window; ++group.sent) burst += message;
    if (!burst.empty() && send(relay.sockets[g * people], burst.data(), burst.size(), MSG_NOSIGNAL) < 0)
      give_up("send");
  };
  for (size_t g = 0; g < groups; ++g) fill(g);
  const int64_t begun = now_ns(), end = begun + static_cast<int64_t>(seconds * 1e9);
  std::vector<epoll_event> events(1024);
  std::vector<char> buffer(64 * 1024);
  uint64_t bytes = 0;
  while (now_ns() < end) {
    // Never asleep: waking it would cost the relay.
    const int ready = epoll_wait(relay.poll, events.data(), static_cast<int>(events.size()), 0);
    for (int e = 0; e < ready; ++e) {
      const int fd = events[static_cast<size_t>(e)].data.fd;
      const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) continue;
      const size_t g = index[fd] / people;
      all[g].received_bytes += static_cast<uint64_t>(got);
      bytes += static_cast<uint64_t>(got);
      fill(g);
    }
  }
  const double took = static_cast<double>(now_ns() - begun) / 1e9;
  const double deliveries = static_cast<double>(bytes) / message_bytes;
  return {deliveries / took, relay.end() / deliveries};
}

}  // namespace tidings::bench
