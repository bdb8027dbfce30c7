#include "net/http_connection.h"

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>

#include "base/log_line.h"
#include "net/handshake.h"
#include "net/proxy_protocol.h"
#include "net/websocket_deflate.h"

namespace tidings::net {

namespace {
constexpr base::nanoseconds drain_timeout = std::chrono::seconds(1);
constexpr size_t outbox_bytes_enough = 64 * 1024;

bool names(const HttpRequest& request, std::string_view header, std::string_view token) {
  for (const auto& [name, value] : request.headers) {
    const HttpHeaders one = {{name, value}};
    if (find_header(one, header) && names_token(value, token)) return true;
  }
  return false;
}

// The offers of several headers are one list (RFC 6455, 9.1).
std::optional<DeflateAgreement> deflate_agreement(const HttpRequest& request) {
  for (const auto& header : request.headers) {
    if (!find_header({header}, "sec-websocket-extensions")) continue;
    if (auto agreement = agree_on_deflate(header.second)) return agreement;
  }
  return std::nullopt;
}
}  // namespace

// What an HttpReply holds. Dropped without an answer it closes the connection.
class HttpConnection::Ticket {
 public:
  explicit Ticket(std::weak_ptr<Token> token) : token_(std::move(token)) {}
  Ticket(Ticket&&) noexcept = default;
  ~Ticket() {
    if (const auto token = token_.lock()) token->connection->finish();
  }
  void operator()(HttpResponse response) {
    if (const auto token = std::exchange(token_, {}).lock()) token->connection->answer(response);
  }

 private:
  std::weak_ptr<Token> token_;
};

HttpConnection::HttpConnection(HttpService& service, FileDescriptor socket, const Address& peer)
    : service_(service), socket_(std::move(socket)), peer_(peer) {
  set_timer(service_.limits.http_request_timeout);
  if (!service_.proxies.contains(peer_)) begin();
  if (!socket_ || !service_.reactor.poller().add(socket_.fd(), *this, events_)) finish();
}

HttpConnection::~HttpConnection() {
  if (gone_) *gone_ = true;
  token_.reset();
  if (phase_ != Phase::done) finish();
  service_.reactor.poller().forget(*this);
}

void HttpConnection::on_ready(uint32_t events) {
  events = socket_.may(events);
  if (events & events_ & EPOLLOUT) {
    listen_for(events_ & ~uint32_t{EPOLLOUT});
    service_.reactor.poller().at_turn_end(*this);
  }
  if (phase_ == Phase::greeting) {
    read_greeting();
  } else if (phase_ == Phase::reading || phase_ == Phase::draining) {
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read();
  } else if (events & (EPOLLHUP | EPOLLERR)) {
    finish();
  }
}

void HttpConnection::read() {
  char* const buffer = service_.reactor.receive_buffer();
  const auto [outcome, n] = socket_.read(buffer, service_.reactor.receive_buffer_bytes());
  if (outcome == Stream::Outcome::again && socket_.secure())
    return service_.reactor.poller().change(socket_.fd(), *this, socket_.waits_for(events_));
  if (outcome == Stream::Outcome::again) return;
  if (outcome != Stream::Outcome::some) return finish();
  if (phase_ == Phase::draining) return;
  input_.append(buffer, n);
  take_requests();
}

// The header is read to its last byte and not further: what follows may be TLS.
void HttpConnection::read_greeting() {
  char first;
  if (input_.empty()) {
    const ssize_t n = ::recv(socket_.fd(), &first, 1, MSG_DONTWAIT | MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return finish();
    if (first != proxy_header_first) return begin();
  }
  ProxyHeader header = parse_proxy_header(input_);
  if (header.progress == ProxyHeader::Progress::more) {
    char* const buffer = service_.reactor.receive_buffer();
    const auto [outcome, n] = socket_.read(buffer, std::max<size_t>(header.bytes - input_.size(), 1));
    if (outcome == Stream::Outcome::again) return;
    if (outcome != Stream::Outcome::some) return finish();
    input_.append(buffer, n);
    header = parse_proxy_header(input_);
  }
  if (header.progress == ProxyHeader::Progress::refused) {
    base::log_warning("a connection from the proxy {} begins with a broken PROXY header", peer_.text());
    return finish();
  }
  if (header.progress == ProxyHeader::Progress::more) return;
  if (!header.client.bytes().empty()) peer_ = header.client;
  input_ = {};
  begin();
}

void HttpConnection::begin() {
  phase_ = Phase::reading;
  if (service_.tls) socket_ = service_.tls->accept(socket_.take());
  if (!socket_) return finish();
  parser_.emplace(service_.limits);
}

void HttpConnection::on_turn_end() {
  if (phase_ == Phase::done) return service_.end(*this);
  if (outbox_.bytes() > 0) {
    switch (outbox_.write(socket_, service_.reactor.buffers())) {
      case Outbox::Written::some:
        return listen_for(EPOLLOUT);
      case Outbox::Written::broken:
        return finish();
      case Outbox::Written::all:
        break;
    }
  }
  if (phase_ == Phase::ending) {
    socket_.shut_write();
    phase_ = Phase::draining;
    set_timer(drain_timeout);
    listen_for(EPOLLIN);
  } else if (phase_ == Phase::reading) {
    if (!take_requests()) return;
    if (phase_ == Phase::reading) listen_for(EPOLLIN);
  }
}

bool HttpConnection::take_requests() {
  size_t used = 0;
  while (phase_ == Phase::reading && used < input_.size() && outbox_.bytes() < outbox_bytes_enough) {
    // The first request is timed from the connect on.
    if (!std::exchange(begun_, true) && answered_) set_timer(service_.limits.http_request_timeout);
    size_t taken = 0;
    const auto progress = parser_->feed(std::string_view(input_).substr(used), taken);
    used += taken;
    if (progress == HttpRequestParser::Progress::refused) {
      refuse(parser_->status());
    } else if (progress == HttpRequestParser::Progress::complete) {
      keep_alive_ = parser_->keep_alive();
      HttpRequest request = parser_->take();
      const bool upgrading = wants_websocket(request);
      if (upgrading) input_.erase(0, std::exchange(used, 0));
      if (!(upgrading ? upgrade(request) : handle(std::move(request)))) return false;
    } else {
      if (parser_->wants_continue()) {
        outbox_.buffer(service_.reactor.buffers()) += "HTTP/1.1 100 Continue\r\n\r\n";
        service_.reactor.poller().at_turn_end(*this);
      }
      break;
    }
  }
  input_.erase(0, used);
  if (input_.empty()) input_ = {};
  return true;
}

bool HttpConnection::handle(HttpRequest request) {
  phase_ = Phase::handling;
  head_ = request.method == "HEAD";
  request.peer = client_of(request).text();
  set_timer(base::nanoseconds(0));
  token_ = std::make_shared<Token>(Token{this});
  bool gone = false;
  gone_ = &gone;
  service_.handler.on_request(std::move(request), HttpReply(Ticket(token_)));
  if (gone) return false;
  gone_ = nullptr;
  if (phase_ == Phase::handling) listen_for(0);
  return true;
}

// An upgrade to anything else is an offer, which a server may ignore (RFC 9110, 7.8); but who asks at the
// WebSocket's path gets no other answer there.
bool HttpConnection::wants_websocket(const HttpRequest& request) const {
  return find_header(request.headers, "upgrade") &&
         (names(request, "upgrade", "websocket") || request.path == service_.websocket_path);
}

std::optional<HttpConnection::Refusal> HttpConnection::check_upgrade(const HttpRequest& request) const {
  if (!names(request, "upgrade", "websocket") || !names(request, "connection", "upgrade"))
    return Refusal{400, "A WebSocket needs the headers Upgrade: websocket and Connection: Upgrade."};
  if (request.path != service_.websocket_path)
    return Refusal{404, "The WebSocket is at " + service_.websocket_path + "."};
  for (const auto& [name, value] : request.headers) {
    if (find_header({{name, value}}, "origin") &&
        std::ranges::find(service_.origins, value) == service_.origins.end())
      return Refusal{403, "Pages of this origin may not connect; server.origins lists those that may."};
  }
  if (request.method != "GET" || !request.body.empty())
    return Refusal{400, "A WebSocket begins with a GET without a body."};
  const std::string* key = find_header(request.headers, "sec-websocket-key");
  if (!key || !valid_key(*key))
    return Refusal{400, "The WebSocket needs a Sec-WebSocket-Key of 16 bytes in base64."};
  if (!names(request, "sec-websocket-version", "13"))
    return Refusal{426, "The WebSocket needs Sec-WebSocket-Version: 13."};
  const std::string& subprotocol = service_.kind->subprotocol;
  if (!subprotocol.empty() && !names(request, "sec-websocket-protocol", subprotocol))
    return Refusal{400, "The WebSocket needs the subprotocol " + subprotocol + "."};
  return std::nullopt;
}

bool HttpConnection::upgrade(const HttpRequest& request) {
  if (const auto refusal = check_upgrade(request)) {
    refuse(refusal->status, refusal->detail);
    return true;
  }
  Reactor& reactor = service_.reactor;
  std::string& out = outbox_.buffer(reactor.buffers());
  out +=
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: "
      "Upgrade\r\nsec-websocket-accept: ";
  out += accept_key(*find_header(request.headers, "sec-websocket-key"));
  if (!service_.kind->subprotocol.empty())
    out.append("\r\nsec-websocket-protocol: ").append(service_.kind->subprotocol);
  std::optional<DeflateAgreement> deflate;
  if (service_.kind->compression != WebSocketCompression::off) deflate = deflate_agreement(request);
  if (deflate) out.append("\r\nsec-websocket-extensions: ").append(deflate->answer);
  out += "\r\n\r\n";
  reactor.poller().remove(socket_.fd(), *this);
  has_seat_ = false;
  auto socket = std::make_unique<WebSocketConnection>(reactor, std::move(socket_), service_.kind,
                                                      client_of(request), std::exchange(outbox_, {}), input_,
                                                      deflate ? deflate->window_bits : uint8_t{0});
  finish();
  bool gone = false;
  gone_ = &gone;
  service_.handler.on_websocket(std::move(socket));
  if (gone) return false;
  gone_ = nullptr;
  return true;
}

Address HttpConnection::client_of(const HttpRequest& request) const {
  if (!service_.proxies.contains(peer_)) return peer_;
  return forwarded_client(request.headers, peer_, service_.proxies, service_.forwarded_by);
}

void HttpConnection::answer(const HttpResponse& response) {
  token_.reset();
  append_response(outbox_.buffer(service_.reactor.buffers()), response, head_, !keep_alive_);
  begun_ = false;
  answered_ = true;
  parser_.emplace(service_.limits);
  phase_ = keep_alive_ ? Phase::reading : Phase::ending;
  set_timer(service_.limits.http_idle_timeout);
  service_.reactor.poller().at_turn_end(*this);
}

void HttpConnection::refuse(int status, std::string_view detail) {
  HttpResponse response = service_.handler.refusal(status, detail);
  response.status = status;
  if (status == 426) response.headers.emplace_back("sec-websocket-version", "13");
  append_response(outbox_.buffer(service_.reactor.buffers()), response, false, true);
  input_ = {};
  phase_ = Phase::ending;
  listen_for(0);
  set_timer(service_.limits.http_request_timeout);
  service_.reactor.poller().at_turn_end(*this);
}

void HttpConnection::on_time_out() {
  if (phase_ == Phase::reading && begun_ && outbox_.bytes() == 0) {
    refuse(408);
  } else {
    finish();
  }
}

// 0 sets none.
void HttpConnection::set_timer(base::nanoseconds delay) {
  service_.reactor.cancel(std::exchange(timer_, 0));
  if (delay == base::nanoseconds(0)) return;
  timer_ = service_.reactor.after(delay, [this] {
    timer_ = 0;
    on_time_out();
  });
}

void HttpConnection::listen_for(uint32_t events) {
  if (events_ == events || phase_ == Phase::done) return;
  events_ = events;
  service_.reactor.poller().change(socket_.fd(), *this, socket_.waits_for(events));
}

void HttpConnection::finish() {
  if (phase_ == Phase::done) return;
  phase_ = Phase::done;
  token_.reset();
  set_timer(base::nanoseconds(0));
  Poller& poller = service_.reactor.poller();
  if (socket_) poller.remove(socket_.fd(), *this);
  socket_.reset();
  outbox_.drop(service_.reactor.buffers());
  input_ = {};
  if (std::exchange(has_seat_, false)) service_.kind->connections->add(-1);
  poller.at_turn_end(*this);
}

}  // namespace tidings::net
