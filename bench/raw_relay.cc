#include "bench/raw_relay.h"

#include <chrono>
#include <string>
#include <unordered_map>
#include <vector>

#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/real_server.h"
#include "bench/sockets.h"

namespace tidings::bench {

namespace {

constexpr size_t message_bytes = 128;

// The first byte of a message tells what it is: an acknowledgement or a message.
constexpr char ack_mark = 'a', message_mark = 'm';

[[noreturn]] void relay(int listener, int people) {
  pin(0, 0);
  std::vector<int> sockets;
  std::unordered_map<int, size_t> index;
  const int poll = epoll_create1(0);
  for (int i = 0; i < people; ++i) {
    const int fd = accept(listener, nullptr, nullptr);
    if (fd < 0) give_up("accept");
    set_up(fd);
    add(poll, fd);
    index[fd] = sockets.size();
    sockets.push_back(fd);
  }
  char name[] = "/tmp/tidings-relay-XXXXXX";
  const int file = mkstemp(name);
  unlink(name);
  std::vector<std::string> out(sockets.size());
  std::vector<epoll_event> events(1024);
  std::string group;
  char buffer[64 * 1024];
  for (;;) {
    const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    group.clear();
    for (int e = 0; e < ready; ++e) {
      const size_t from = index[events[static_cast<size_t>(e)].data.fd];
      const ssize_t got = recv(sockets[from], buffer, sizeof buffer, 0);
      if (got == 0) _exit(0);
      if (got < 0) continue;
      // Loopback keeps our 128-byte writes together often enough; a torn one is completed by the next read.
      const auto whole = static_cast<size_t>(got) / message_bytes * message_bytes;
      if (whole != static_cast<size_t>(got)) _exit(2);
      group.append(buffer, whole);
      for (size_t at = 0; at < whole; at += message_bytes) {
        out[from].append(1, ack_mark);
        out[from].append(buffer + at + 1, message_bytes - 1);
        out[from ^ 1].append(buffer + at, message_bytes);
      }
    }
    if (group.empty()) continue;
    if (write(file, group.data(), group.size()) < 0 || fdatasync(file) != 0) give_up("relay file");
    for (size_t i = 0; i < out.size(); ++i) {
      if (out[i].empty()) continue;
      if (send(sockets[i], out[i].data(), out[i].size(), MSG_NOSIGNAL) < 0) _exit(0);
      out[i].clear();
    }
  }
}

}  // namespace

RelayResult run_raw_relay(int people, int window, double seconds) {
  auto [listener, address] = listen_on_loopback(people);
  const socklen_t size = sizeof address;
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
  const std::string messages(message_bytes * static_cast<size_t>(window), message_mark);
  for (const int fd : sockets) {
    if (send(fd, messages.data(), messages.size(), MSG_NOSIGNAL) < 0) give_up("send");
  }
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const auto end = start + std::chrono::duration<double>(seconds);
  uint64_t acked = 0;
  std::vector<epoll_event> events(1024);
  char buffer[64 * 1024];
  std::unordered_map<int, size_t> torn;
  while (Clock::now() < end) {
    const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), 100);
    for (int e = 0; e < ready; ++e) {
      const int fd = events[static_cast<size_t>(e)].data.fd;
      const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) continue;
      size_t acks = 0;
      size_t& phase = torn[fd];  // bytes of a message that the last read ended in
      for (size_t at = (message_bytes - phase) % message_bytes; at < static_cast<size_t>(got);
           at += message_bytes) {
        acks += buffer[at] == ack_mark;
      }
      phase = (phase + static_cast<size_t>(got)) % message_bytes;
      acked += acks;
      if (acks > 0 && send(fd, messages.data(), acks * message_bytes, MSG_NOSIGNAL) < 0) continue;
    }
  }
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  for (const int fd : sockets) close(fd);
  close(poll);
  close(listener);
  const double cpu_us = cpu_us_of_ended(child);
  sched_setaffinity(0, sizeof before, &before);
  RelayResult result;
  result.messages_per_second = static_cast<double>(acked) / took;
  if (acked > 0) result.server_us_per_message = cpu_us / static_cast<double>(acked);
  return result;
}

}  // namespace tidings::bench
