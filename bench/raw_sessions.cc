#include "bench/raw_sessions.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/sockets.h"
#include "bench/swarm.h"
#include "net/tls.h"
#include "net/websocket_codec.h"

namespace tidings::bench {

namespace {

enum class Stage : uint8_t { upgrade, hello, later };
struct Peer {
  net::Stream socket;
  Stage stage = Stage::upgrade;
};

const std::string upgraded =
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: bench\r\n\r\n";

// False: it is over.
bool answer(Peer& peer, const RawServer::Answers& answers) {
  static char buffer[65536];
  const auto [outcome, got] = peer.socket.read(buffer, sizeof buffer);
  if (outcome == net::Stream::Outcome::again) return true;
  if (outcome != net::Stream::Outcome::some) return false;
  const std::string& out = peer.stage == Stage::upgrade ? upgraded
                           : peer.stage == Stage::hello ? answers.hello
                                                        : answers.later;
  if (peer.stage != Stage::later) peer.stage = static_cast<Stage>(static_cast<int>(peer.stage) + 1);
  return out.empty() || peer.socket.write(out.data(), out.size()).outcome == net::Stream::Outcome::some;
}

[[noreturn]] void serve(int listener, const RawServer::Answers& answers, net::TlsIdentity* tls) {
  raise_file_limit();
  signal(SIGPIPE, SIG_IGN);
  set_up(listener);
  const int poll = epoll_create1(0);
  add(poll, listener);
  std::vector<epoll_event> events(128);
  std::vector<std::unique_ptr<Peer>> peers(20'000);
  for (;;) {
    const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == listener) {
        const int socket = accept(listener, nullptr, nullptr);
        if (socket < 0 || static_cast<size_t>(socket) >= peers.size()) continue;
        set_up(socket);
        add(poll, socket);
        net::FileDescriptor own(socket);
        peers[static_cast<size_t>(socket)] =
            std::make_unique<Peer>(tls ? tls->accept(std::move(own)) : net::Stream(std::move(own)));
      } else if (auto& peer = peers[static_cast<size_t>(fd)]; peer && !answer(*peer, answers)) {
        peer.reset();
      }
    }
  }
}

}  // namespace

RawServer::RawServer(const Answers& answers, const std::string& certificate, const std::string& key) {
  const auto [listener, address] = listen_on_loopback(SOMAXCONN);
  port_ = ntohs(address.sin_port);
  std::fflush(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (certificate.empty()) serve(listener, answers, nullptr);
    const auto identity = net::TlsIdentity::load(certificate, key);
    if (!identity) _exit(1);
    serve(listener, answers, identity->get());
  }
  close(listener);
}
RawServer::~RawServer() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}
double RawServer::cpu_seconds() const {
  return cpu_seconds_of(pid_);
}
Memory RawServer::memory() const {
  return memory_of(pid_);
}

std::string raw_frame(std::string text, size_t bytes_min) {
  text.resize(std::max(text.size(), bytes_min), ' ');
  std::string frame;
  net::append_frame(frame, net::WebSocketOpcode::text, text, std::nullopt);
  return frame;
}

double raw_session_us(size_t sessions, size_t frames, size_t frame_bytes) {
  std::string hello = raw_frame(R"({"type":"welcome"})", frame_bytes);
  for (size_t i = 0; i < frames; ++i) hello += raw_frame(R"({"type":"event"})", frame_bytes);
  const RawServer server({hello, ""});
  size_t received = 0;
  Swarm swarm;
  swarm.connects_at_once = 512;
  swarm.acknowledges = false;
  swarm.on_frame = [&](Swarm::Session&, std::string_view) { ++received; };
  for (size_t i = 0; i < sessions; ++i) swarm.connect(swarm.add({{}, {}, "token"}), server.port());
  while (received < sessions * (frames + 1)) swarm.turn(100);
  return server.cpu_seconds() * 1e6 / static_cast<double>(sessions);
}

}  // namespace tidings::bench
