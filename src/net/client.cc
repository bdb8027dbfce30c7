#include "net/client.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include <arpa/inet.h>
#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "net/handshake.h"
#include "net/http_parser.h"
#include "net/names.h"
#include "net/outbox.h"
#include "net/poller.h"
#include "net/websocket_connection.h"

namespace tidings::net {

namespace {

using boost::asio::ip::tcp;

// Lives in the poller until it is done.
class Exchanging final : public Pollable {
 public:
  Exchanging(Reactor& reactor, Exchange what, std::function<void(base::Result<Exchanged>)> done)
      : reactor_(reactor), what_(std::move(what)), done_(std::move(done)), parser_(what_.without_body) {}
  ~Exchanging() override {
    release();
    reactor_.poller().forget(*this);
  }

  void start() {
    timer_ = reactor_.after(what_.timeout, [this] {
      timer_ = 0;
      fail("no answer in time");
    });
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(what_.host, error);
    if (!error) {
      targets_ = {tcp::endpoint(address, what_.port)};
      return connect_next();
    }
    // The answer may come when this object is long gone.
    reactor_.names().find(what_.host, what_.port,
                          [this, alive = std::weak_ptr<bool>(alive_)](std::vector<tcp::endpoint> targets) {
                            if (alive.expired()) return;
                            if (targets.empty()) return fail("the name is unknown");
                            targets_ = std::move(targets);
                            connect_next();
                          });
  }

 private:
  void connect_next() {
    close_socket();
    if (next_target_ == targets_.size()) return fail(error_);
    const tcp::endpoint& target = targets_[next_target_++];
    std::memcpy(&address_, target.data(), target.size());
    FileDescriptor socket(
        ::socket(target.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return fail(std::strerror(errno));
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto* address = static_cast<const sockaddr*>(target.data());
    if (::connect(socket.get(), address, static_cast<socklen_t>(target.size())) != 0 &&
        errno != EINPROGRESS) {
      error_ = std::strerror(errno);
      return connect_next();
    }
    socket_ = what_.tls ? what_.tls->connect(std::move(socket), what_.host) : Stream(std::move(socket));
    if (!socket_) return fail("TLS cannot be set up");
    connecting_ = true;
    polled_ = reactor_.poller().add(socket_.fd(), *this, EPOLLOUT);
  }

  void on_ready(uint32_t events) override {
    if (connecting_) {
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(socket_.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) {
        error_ = std::strerror(error);
        return connect_next();
      }
      connecting_ = false;
      outbox_.buffer(reactor_.buffers()) += what_.request;
      return write();
    }
    events = socket_.may(events);
    if ((events & EPOLLOUT) && outbox_.bytes() > 0) write();
    if (!ended_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) read();
  }

  void write() {
    const auto written = outbox_.write(socket_, reactor_.buffers());
    // In the clear, a server may refuse and stop reading before it has all: its answer is still to be read.
    if (written == Outbox::Written::broken && socket_.secure()) return fail(socket_.why());
    listen();
  }
  void listen() {
    const uint32_t wanted = outbox_.bytes() > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN;
    reactor_.poller().change(socket_.fd(), *this, socket_.waits_for(wanted));
  }

  void read() {
    char* const buffer = reactor_.receive_buffer();
    const auto [outcome, n] = socket_.read(buffer, reactor_.receive_buffer_bytes());
    if (outcome == Stream::Outcome::again) return listen();
    using Progress = HttpResponseParser::Progress;
    Progress progress;
    if (outcome != Stream::Outcome::some) {
      const bool broken = outcome == Stream::Outcome::broken;
      if (broken && (!answered_ || socket_.secure())) return fail(socket_.why());
      if (!answered_) return fail("the peer closed the connection");
      progress = parser_.feed_end();
      if (progress != Progress::complete) return fail("the peer closed the connection");
    } else {
      answered_ = true;
      input_.append(buffer, n);
      size_t taken = 0;
      progress = parser_.feed(input_, taken);
      input_.erase(0, taken);
    }
    if (progress == Progress::refused) return fail("the answer is not HTTP, or too large");
    if (progress == Progress::complete) succeed();
  }

  void succeed() {
    Exchanged result{parser_.take(), {}, std::move(input_), Address(address_)};
    reactor_.poller().remove(socket_.fd(), *this);
    polled_ = false;
    if (result.response.status == 101) result.socket = std::move(socket_);
    end(std::move(result));
  }

  void fail(const std::string& why) {
    end(base::failure(fmt::format("cannot reach {}:{}: {}", what_.host, what_.port, why)));
  }

  void end(base::Result<Exchanged> result) {
    if (ended_) return;
    ended_ = true;
    release();
    reactor_.poller().drop(*this);
    const auto done = std::move(done_);
    done(std::move(result));
  }

  void close_socket() {
    if (polled_) reactor_.poller().remove(socket_.fd(), *this);
    polled_ = false;
    socket_.reset();
  }
  void release() {
    alive_.reset();
    reactor_.cancel(std::exchange(timer_, 0));
    close_socket();
    outbox_.drop(reactor_.buffers());
  }

  Reactor& reactor_;
  const Exchange what_;
  std::function<void(base::Result<Exchanged>)> done_;
  HttpResponseParser parser_;
  std::vector<tcp::endpoint> targets_;
  size_t next_target_ = 0;
  std::string error_;
  Stream socket_;
  sockaddr_storage address_{};
  Outbox outbox_;
  std::string input_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  base::TimerId timer_ = 0;
  bool polled_ = false;
  bool connecting_ = false;
  bool answered_ = false;
  bool ended_ = false;
};

std::string host_header(const std::string& host, uint16_t port) {
  const bool v6 = host.find(':') != host.npos;
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace

void exchange(Reactor& reactor, Exchange what, std::function<void(base::Result<Exchanged>)> done) {
  reactor.post([&reactor, what = std::move(what), done = std::move(done)]() mutable {
    auto exchanging = std::make_unique<Exchanging>(reactor, std::move(what), std::move(done));
    Exchanging& started = *exchanging;
    reactor.poller().adopt(std::move(exchanging));
    started.start();
  });
}

void http_request(Reactor& reactor, const std::string& host, uint16_t port, HttpRequest request,
                  std::function<void(base::Result<HttpResponse>)> done, std::shared_ptr<TlsTrust> tls) {
  Exchange what{host,
                port,
                request_bytes(request, host_header(host, port)),
                request.method == "HEAD",
                std::chrono::seconds(30),
                std::move(tls)};
  exchange(reactor, std::move(what), [done = std::move(done)](base::Result<Exchanged> result) {
    if (!result) return done(base::fail(std::move(result.error())));
    done(std::move(result->response));
  });
}

void connect_websocket(Reactor& reactor, const std::string& host, uint16_t port, const std::string& path,
                       const std::string& subprotocol, WebSocketOptions options,
                       std::function<void(base::Result<std::unique_ptr<WebSocket>>)> done) {
  const std::string key = make_key();
  const std::string request = fmt::format(
      "GET {} HTTP/1.1\r\nhost: {}\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: "
      "13\r\n"
      "sec-websocket-key: {}\r\nsec-websocket-protocol: {}\r\n\r\n",
      path, host_header(host, port), key, subprotocol);
  auto kind = std::make_shared<WebSocketKind>();
  kind->role = WebSocketRole::client;
  kind->message_bytes_max = options.message_bytes_max;
  kind->subprotocol = subprotocol;
  exchange(
      reactor, {host, port, request, false, std::chrono::seconds(10), std::move(options.tls)},
      [&reactor, key, kind, done = std::move(done)](base::Result<Exchanged> result) {
        if (!result) return done(base::fail(std::move(result.error())));
        const auto& [status, headers, body] = result->response;
        if (status != 101)
          return done(base::failure(fmt::format("the server refuses the WebSocket with HTTP {}", status)));
        const std::string* accept = find_header(headers, "sec-websocket-accept");
        const std::string* upgrade = find_header(headers, "upgrade");
        const std::string* connection = find_header(headers, "connection");
        if (!accept || *accept != accept_key(key) || !upgrade || !names_token(*upgrade, "websocket") ||
            !connection || !names_token(*connection, "upgrade")) {
          return done(base::failure("the server's answer to the upgrade is wrong"));
        }
        const std::string* chosen = find_header(headers, "sec-websocket-protocol");
        if (!chosen || *chosen != kind->subprotocol) {
          return done(base::failure("the server does not speak " + kind->subprotocol));
        }
        done(std::unique_ptr<WebSocket>(std::make_unique<WebSocketConnection>(
            reactor, std::move(result->socket), kind, result->peer, Outbox(), result->rest)));
      });
}

}  // namespace tidings::net
