#include "bench/raw_sessions.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/real_server.h"
#include "bench/sockets.h"
#include "bench/swarm.h"
#include "net/websocket_codec.h"

namespace tidings::bench {

namespace {

[[noreturn]] void serve(int listener, const std::string& frames) {
  raise_file_limit();
  set_up(listener);
  const int poll = epoll_create1(0);
  add(poll, listener);
  const std::string upgraded =
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
      "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: bench\r\n\r\n";
  std::vector<epoll_event> events(128);
  static char buffer[65536];
  for (;;) {
    const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == listener) {
        const int peer = accept(listener, nullptr, nullptr);
        if (peer < 0) continue;
        set_up(peer);
        add(poll, peer);
        continue;
      }
      const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) {
        close(fd);
        continue;
      }
      const std::string& answer = buffer[0] == 'G' ? upgraded : frames;
      if (send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) close(fd);
    }
  }
}

}  // namespace

double raw_session_us(size_t sessions, size_t frames, size_t frame_bytes) {
  const auto padded = [&](std::string frame) {
    frame.resize(std::max(frame.size(), frame_bytes), ' ');
    return frame;
  };
  std::string answer;
  net::append_frame(answer, net::WebSocketOpcode::text, padded(R"({"type":"welcome"})"), std::nullopt);
  for (size_t i = 0; i < frames; ++i)
    net::append_frame(answer, net::WebSocketOpcode::text, padded(R"({"type":"event"})"), std::nullopt);

  auto [listener, address] = listen_on_loopback(SOMAXCONN);
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) serve(listener, answer);
  close(listener);
  size_t received = 0;
  {
    Swarm swarm;
    swarm.connects_at_once = 512;
    swarm.on_frame = [&](Swarm::Session&, std::string_view) { ++received; };
    for (size_t i = 0; i < sessions; ++i)
      swarm.connect(swarm.add({{}, {}, "token"}), ntohs(address.sin_port));
    while (received < sessions * (frames + 1)) swarm.turn(100);
    kill(child, SIGKILL);
  }
  return cpu_us_of_ended(child) / static_cast<double>(sessions);
}

}  // namespace tidings::bench
