// The network layer alone: what an idle WebSocket costs in memory and an echoed 64-byte message in time,
// beside the least that any server could do (one epoll loop that knows the size of the frames and looks at
// nothing), in the same run. The server is a process of its own on core 0, the load on core 1; every echoed
// byte is compared.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "bench/report.h"
#include "net/file_descriptor.h"
#include "net/http.h"
#include "net/websocket_codec.h"

namespace tidings::bench {
namespace {

using net::FileDescriptor;

constexpr std::string_view payload = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string handshake =
    "GET /v1/ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
    "13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: bench\r\n\r\n";

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

void pin(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

std::string frame(bool masked) {
  std::string out;
  net::append_frame(out, net::WebSocketOpcode::text, payload,
                    masked ? std::optional<uint32_t>(0x5aa5c33c) : std::nullopt);
  return out;
}

// --- the two servers; each writes its port to `ready` and runs until it is killed

class Echo final : public net::HttpHandler {
  struct Socket final : net::WebSocket::Handler {
    explicit Socket(std::unique_ptr<net::WebSocket> s) : socket(std::move(s)) { socket->set_handler(this); }
    void on_message(std::string_view text) override { socket->send(text); }
    void on_closed(uint16_t, std::string_view) override { socket.reset(); }
    std::unique_ptr<net::WebSocket> socket;
  };

 public:
  void on_request(net::HttpRequest, net::HttpReply reply) override { reply({404, {}, ""}); }
  void on_websocket(std::unique_ptr<net::WebSocket> socket) override {
    sockets_.push_back(std::make_unique<Socket>(std::move(socket)));
  }
  net::HttpResponse refusal(int status, std::string_view) override { return {status, {}, ""}; }

 private:
  std::vector<std::unique_ptr<Socket>> sockets_;
};

[[noreturn]] void serve_ours(int ready) {
  net::Reactor reactor("bench");
  Echo echo;
  net::HttpServerOptions options;
  options.subprotocol = "bench";
  const auto server = net::HttpServer::listen(reactor, echo, options);
  if (!server) give_up("listen");
  reactor.start();
  const uint16_t port = (*server)->port();
  if (::write(ready, &port, sizeof port) != sizeof port) give_up("write");
  for (;;) ::pause();
}

[[noreturn]] void serve_raw(int ready) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener, SOMAXCONN) != 0)
    give_up("listen");
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const uint16_t port = ntohs(address.sin_port);
  if (::write(ready, &port, sizeof port) != sizeof port) give_up("write");
  const int poll = ::epoll_create1(0);
  epoll_event event{.events = EPOLLIN, .data = {.fd = listener}};
  ::epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  const std::string answer =
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
      "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: bench\r\n\r\n";
  const std::string reply = frame(false);
  const size_t in_bytes = frame(true).size();
  std::vector<epoll_event> events(128);
  static char buffer[65536];
  std::string out;
  for (;;) {
    const int n = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (size_t i = 0; i < static_cast<size_t>(std::max(n, 0)); ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        const int peer = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        const int on = 1;
        ::setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        event.data.fd = peer;
        ::epoll_ctl(poll, EPOLL_CTL_ADD, peer, &event);
        continue;
      }
      const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) {
        ::close(fd);
        continue;
      }
      if (buffer[0] == 'G') {
        ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
        continue;
      }
      out.clear();
      for (size_t at = 0; at < static_cast<size_t>(got) / in_bytes; ++at) out += reply;
      ::send(fd, out.data(), out.size(), MSG_NOSIGNAL);
    }
  }
}

class Server {
 public:
  explicit Server(void (*serve)(int)) {
    int pipe[2];
    if (::pipe(pipe) != 0) give_up("pipe");
    child_ = ::fork();
    if (child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::mallopt(M_ARENA_MAX, 1);
      pin(0);
      serve(pipe[1]);
    }
    if (::read(pipe[0], &port, sizeof port) != sizeof port) give_up("server");
    ::close(pipe[0]);
    ::close(pipe[1]);
  }
  ~Server() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  size_t resident_bytes() const {
    std::ifstream file(fmt::format("/proc/{}/statm", child_));
    size_t total = 0;
    size_t resident = 0;
    file >> total >> resident;
    return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  }
  // User and system time so far.
  double cpu_seconds() const {
    clockid_t clock;
    timespec time{};
    if (::clock_getcpuclockid(child_, &clock) != 0 || ::clock_gettime(clock, &time) != 0) give_up("clock");
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  }
  uint16_t port = 0;

 private:
  pid_t child_;
};

// --- the load

FileDescriptor connect_to(uint16_t port) {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("connect");
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::send(socket.get(), handshake.data(), handshake.size(), 0) < 0) give_up("send");
  std::string answer;
  char c;
  while (!answer.ends_with("\r\n\r\n")) {
    if (::recv(socket.get(), &c, 1, 0) != 1) give_up("handshake");
    answer.push_back(c);
  }
  return socket;
}

double idle_bytes(void (*serve)(int), size_t count) {
  const Server server(serve);
  std::vector<FileDescriptor> sockets;
  sockets.push_back(connect_to(server.port));
  const size_t before = server.resident_bytes();
  for (size_t i = 0; i < count; ++i) sockets.push_back(connect_to(server.port));
  return static_cast<double>(server.resident_bytes() - before) / static_cast<double>(count);
}

struct Rate {
  double messages_per_second = 0;
  double server_us_per_message = 0;
  double client_core = 0;
};

Rate echo_rate(void (*serve)(int), size_t connections, size_t window, double seconds) {
  const Server server(serve);
  const FileDescriptor poll(::epoll_create1(0));
  const std::string request = frame(true);
  const std::string reply = frame(false);
  struct Client {
    FileDescriptor socket;
    size_t at = 0;  // in the reply that is being received
  };
  std::vector<Client> clients(connections);
  std::string burst;
  for (size_t i = 0; i < window; ++i) burst += request;
  for (auto& client : clients) {
    client.socket = connect_to(server.port);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &client}};
    ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, client.socket.get(), &event);
    if (::send(client.socket.get(), burst.data(), burst.size(), 0) < 0) give_up("send");
  }
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const double server_start = server.cpu_seconds();
  const auto own_start = std::clock();
  uint64_t messages = 0;
  std::vector<epoll_event> events(256);
  static char buffer[65536];
  while (Clock::now() - start < std::chrono::duration<double>(seconds)) {
    const int n = ::epoll_wait(poll.get(), events.data(), static_cast<int>(events.size()), 1000);
    for (size_t i = 0; i < static_cast<size_t>(std::max(n, 0)); ++i) {
      auto& client = *static_cast<Client*>(events[i].data.ptr);
      const ssize_t got = ::recv(client.socket.get(), buffer, sizeof buffer, 0);
      if (got <= 0) give_up("recv");
      size_t whole = 0;
      for (size_t at = 0; at < static_cast<size_t>(got);) {
        const size_t piece = std::min(reply.size() - client.at, static_cast<size_t>(got) - at);
        if (std::memcmp(buffer + at, reply.data() + client.at, piece) != 0) give_up("a wrong echo");
        at += piece;
        client.at = (client.at + piece) % reply.size();
        whole += client.at == 0;
      }
      messages += whole;
      if (whole > 0 && ::send(client.socket.get(), burst.data(), whole * request.size(), 0) < 0)
        give_up("send");
    }
  }
  const std::chrono::duration<double> took = Clock::now() - start;
  return {static_cast<double>(messages) / took.count(),
          (server.cpu_seconds() - server_start) * 1e6 / static_cast<double>(messages),
          static_cast<double>(std::clock() - own_start) / CLOCKS_PER_SEC / took.count()};
}

int run(bool quick, bool json) {
  ::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  pin(1);
  const double seconds = quick ? 2 : 10;
  const size_t idle = std::min<size_t>(10'000, files.rlim_cur - 100);

  const double bytes = idle_bytes(serve_ours, idle);
  const double raw_bytes = idle_bytes(serve_raw, idle);
  std::vector<Object> rows;
  rows.push_back(Object()
                     .text("what", "idle bytes per connection")
                     .number("value", bytes)
                     .number("reference", raw_bytes));
  if (!json)
    fmt::print("{} idle connections: {:.0f} bytes each; bare epoll {:.0f}\n", idle, bytes, raw_bytes);
  double ratio = 0;
  for (const size_t window : {1, 16}) {
    const Rate raw = echo_rate(serve_raw, 64, window, seconds);
    const Rate ours = echo_rate(serve_ours, 64, window, seconds);
    ratio = raw.server_us_per_message / ours.server_us_per_message;
    rows.push_back(Object()
                       .text("what", fmt::format("echoes, {} in flight on each of 64 connections", window))
                       .number("value", ours.messages_per_second)
                       .number("reference", raw.messages_per_second)
                       .number("server_us", ours.server_us_per_message)
                       .number("reference_us", raw.server_us_per_message)
                       .number("client_core", ours.client_core));
    if (json) continue;
    fmt::print(
        "{:2} in flight: {:9.0f} echoes/s, {:.2f} us of the server each; bare epoll {:9.0f}/s, {:.2f} us; "
        "client {:.0f} % of its core\n",
        window, ours.messages_per_second, ours.server_us_per_message, raw.messages_per_second,
        raw.server_us_per_message, ours.client_core * 100);
  }
  if (json) {
    fmt::print("{}\n", Object()
                           .text("workload", "echo")
                           .number("value", bytes)
                           .text("unit", "bytes")
                           .number("ratio", ratio)
                           .list("rows", rows)
                           .json());
  } else {
    fmt::print("{:.0f} bytes per idle connection; bare epoll's time is {:.2f} of ours at 16 in flight\n",
               bytes, ratio);
  }
  return 0;
}

}  // namespace
}  // namespace tidings::bench

int main(int count, char** words) {
  bool quick = false;
  bool json = false;
  for (int i = 1; i < count; ++i) {
    quick |= std::string_view(words[i]) == "--quick";
    json |= std::string_view(words[i]) == "--json";
  }
  return tidings::bench::run(quick, json);
}
