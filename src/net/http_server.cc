#include <cerrno>
#include <cstring>
#include <unordered_map>

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/log_line.h"
#include "net/http_connection.h"

namespace tidings::net {

namespace {

constexpr base::nanoseconds accept_pause = std::chrono::milliseconds(100);
constexpr int accepts_per_turn_max = 64;

class Listener final : public HttpServer, private Pollable {
 public:
  Listener(HttpService service, FileDescriptor socket, uint16_t port)
      : service_(std::move(service)), socket_(std::move(socket)), port_(port) {
    service_.end = [this](HttpConnection& connection) { connections_.erase(&connection); };
    service_.reactor.poller().add(socket_.get(), *this, EPOLLIN);
  }
  ~Listener() override { stop_accepting(); }

  uint16_t port() const override { return port_; }
  void stop_accepting() override {
    service_.reactor.cancel(std::exchange(timer_, 0));
    if (socket_) service_.reactor.poller().remove(socket_.get(), *this);
    socket_.reset();
  }

 private:
  void on_ready(uint32_t) override {
    for (int i = 0; i < accepts_per_turn_max && socket_; ++i) {
      if (!accept_one()) return;
    }
  }

  bool accept_one() {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    FileDescriptor socket(
        ::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause(errno);
      return errno == ECONNABORTED || errno == EINTR;
    }
    base::Gauge& connections = *service_.kind->connections;
    if (connections.value() >= static_cast<int64_t>(service_.limits.connections_max)) return true;
    connections.add(1);
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto connection = std::make_unique<HttpConnection>(service_, std::move(socket), Address(from));
    HttpConnection* const key = connection.get();
    connections_.emplace(key, std::move(connection));
    return true;
  }

  // The connection that cannot be accepted stays ready: without a pause the loop would spin.
  void pause(int error) {
    base::log_warning("cannot accept connections: {}; trying again", std::strerror(error));
    service_.reactor.poller().change(socket_.get(), *this, 0);
    timer_ = service_.reactor.after(accept_pause, [this] {
      timer_ = 0;
      service_.reactor.poller().change(socket_.get(), *this, EPOLLIN);
    });
  }

  HttpService service_;
  FileDescriptor socket_;
  uint16_t port_;
  base::TimerId timer_ = 0;
  std::unordered_map<HttpConnection*, std::unique_ptr<HttpConnection>> connections_;
};

uint16_t port_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

// A bound socket, or an errno in `error`.
FileDescriptor bind_to(const addrinfo& address, bool shared, int& error) {
  FileDescriptor socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (socket) {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  }
  if (!socket || ::bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
    error = errno;
    return {};
  }
  return socket;
}

base::Result<FileDescriptor> listen_on(const HttpServerOptions& options) {
  const std::string where = fmt::format("{}:{}", options.host, options.port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error =
          ::getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found)) {
    return base::failure(fmt::format("cannot listen on {}: {}", where, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  int error = 0;
  // Every listener allows others to join it, so a stranger's would be joined too: a socket that shares with
  // nobody tells.
  const bool probe = options.port != 0 && !options.joins;
  if (probe && !bind_to(*found, false, error)) {
    return base::failure(fmt::format("cannot listen on {}: {}", where, std::strerror(error)));
  }
  FileDescriptor socket = bind_to(*found, true, error);
  if (socket && ::listen(socket.get(), SOMAXCONN) != 0) {
    error = errno;
    socket.reset();
  }
  if (!socket) return base::failure(fmt::format("cannot listen on {}: {}", where, std::strerror(error)));
  return socket;
}

}  // namespace

base::Result<std::unique_ptr<HttpServer>> HttpServer::listen(Reactor& reactor, HttpHandler& handler,
                                                             HttpServerOptions options) {
  auto socket = listen_on(options);
  if (!socket) return base::fail(std::move(socket.error()));
  const uint16_t port = port_of(socket->get());
  const base::Limits limits = options.limits ? *options.limits : base::Limits();
  auto kind = std::make_shared<WebSocketKind>();
  kind->role = WebSocketRole::server;
  kind->message_bytes_max = limits.frame_bytes_max;
  kind->subprotocol = std::move(options.subprotocol);
  kind->takes_binary = options.takes_binary;
  kind->on_binary = std::move(options.on_binary);
  kind->compression = options.compression;
  kind->connections = options.connections ? std::move(options.connections) : std::make_shared<base::Gauge>();
  HttpService service{reactor,
                      handler,
                      limits,
                      std::move(options.websocket_path),
                      std::move(options.origins),
                      std::move(kind),
                      std::move(options.tls),
                      std::move(options.proxies),
                      options.forwarded_by,
                      {}};
  return std::unique_ptr<HttpServer>(
      std::make_unique<Listener>(std::move(service), std::move(*socket), port));
}

}  // namespace tidings::net
