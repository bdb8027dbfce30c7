#include "bench/swarm.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>

#include "bench/sockets.h"
#include "net/websocket_codec.h"

namespace tidings::bench {

namespace {

const std::string handshake =
    "GET /v1/ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
    "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " +
    std::string(wire::subprotocol_json) + "\r\n\r\n";
constexpr uint32_t mask = 0x5aa5c33c;
constexpr uint32_t addresses = 200;  // 127.0.1.1…: each has its own ports
constexpr size_t ack_slots = 100;
constexpr auto ack_step = std::chrono::milliseconds(10);

base::MonotonicTime now() {
  return base::MonotonicTime(std::chrono::steady_clock::now().time_since_epoch());
}

// Of a frame of the server: where its payload begins and how long it is, once that is known.
struct Head {
  size_t begin = 0, bytes = 0;
};
std::optional<Head> head_of(std::string_view in) {
  if (in.size() < 2) return std::nullopt;
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(in[i])); };
  const size_t small = byte(1);
  if (small < 126) return Head{2, small};
  const size_t wide = small == 126 ? 2 : 8;
  if (in.size() < 2 + wide) return std::nullopt;
  size_t bytes = 0;
  for (size_t i = 0; i < wide; ++i) bytes = bytes << 8 | byte(2 + i);
  return Head{2 + wide, bytes};
}

}  // namespace

Swarm::Swarm(bool tls) : poll_(epoll_create1(EPOLL_CLOEXEC)), events_(512), buffer_(256 * 1024) {
  raise_file_limit();
  if (!tls) return;
  signal(SIGPIPE, SIG_IGN);  // OpenSSL's own
  tls_ = SSL_CTX_new(TLS_client_method());
  // No tickets are kept: each handshake is a first one.
  SSL_CTX_set_session_cache_mode(tls_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify(tls_, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_mode(tls_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}
Swarm::~Swarm() {
  SSL_CTX_free(tls_);
}

Swarm::Session& Swarm::add(const Person& person) {
  Session& session = sessions_.emplace_back();
  session.number = static_cast<uint32_t>(sessions_.size() - 1);
  tokens_.push_back(person.token);
  return session;
}

void Swarm::connect(Session& session, uint16_t port) {
  waiting_.emplace_back(&session, port);
}

void Swarm::connect_later(Session& session, uint16_t port, base::nanoseconds delay) {
  later_.emplace(now() + delay, std::pair(&session, port));
}

void Swarm::begin_connect(Session& session, uint16_t port) {
  net::FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) give_up(std::string("socket: ") + std::strerror(errno));
  const int fd = socket.get();
  set_up(fd);
  sockaddr_in own = loopback(0);
  own.sin_addr.s_addr = htonl(0x7f000101 + session.number % addresses);
  const int on = 1;
  // The port is chosen when the peer is known: each pair of addresses has all of them.
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0) give_up("bind");
  const sockaddr_in peer = loopback(port);
  session.stage = Stage::connecting;
  session.partial.clear();
  session.out.clear();
  session.acks.connected();
  ++under_way_;
  const bool refused =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0 && errno != EINPROGRESS;
  if (tls_) {
    SSL* const ssl = SSL_new(tls_);
    SSL_set_fd(ssl, fd);
    SSL_set_connect_state(ssl);
    session.socket = net::Stream(std::move(socket), ssl);
  } else {
    session.socket = net::Stream(std::move(socket));
  }
  if (refused) return lost(session);
  epoll_event event{.events = EPOLLIN | EPOLLOUT, .data = {.ptr = &session}};
  epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void Swarm::reset(Session& session) {
  const linger none{.l_onoff = 1, .l_linger = 0};
  if (session.socket) setsockopt(session.socket.fd(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
  cut(session);
}

void Swarm::cut(Session& session) {
  if (session.stage == Stage::none) return;
  if (session.stage == Stage::open) {
    --open_;
  } else {
    --under_way_;
  }
  session.stage = Stage::none;
  session.socket.reset();
  std::string().swap(session.out);
  std::string().swap(session.partial);
}

void Swarm::lost(Session& session) {
  cut(session);
  if (!on_lost) give_up("a connection was closed");
  on_lost(session);
}

void Swarm::turn(int timeout_ms) {
  flush();
  for (; !later_.empty() && later_.begin()->first <= time_; later_.erase(later_.begin()))
    waiting_.push_back(later_.begin()->second);
  while (!waiting_.empty() && under_way_ < connects_at_once) {
    const auto [session, port] = waiting_.front();
    waiting_.pop_front();
    begin_connect(*session, port);
  }
  const int ready = epoll_wait(poll_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms);
  time_ = now();
  for (int i = 0; i < ready; ++i) {
    const epoll_event& event = events_[static_cast<size_t>(i)];
    on_ready(*static_cast<Session*>(event.data.ptr), event.events);
  }
  acknowledge_some();
  if (heartbeats) ping_some();
  flush();
}

// One after another, so that they come evenly.
void Swarm::ping_some() {
  static const std::string ping = wire::encode(wire::Ping{});
  if (sessions_.empty()) return;
  const base::nanoseconds step = heartbeat_interval / static_cast<int64_t>(sessions_.size());
  if (time_ - pinged_at_ > heartbeat_interval) pinged_at_ = time_ - step;
  for (; pinged_at_ + step <= time_; pinged_at_ += step) {
    Session& session = sessions_[ping_next_++ % sessions_.size()];
    if (session.stage == Stage::open) send(session, ping);
  }
}

// What no more frames came behind is acknowledged once a second.
void Swarm::acknowledge_some() {
  if (!acknowledges || time_ - acked_at_ < ack_step) return;
  acked_at_ = time_;
  for (size_t i = ack_turn_++ % ack_slots; i < sessions_.size(); i += ack_slots) {
    Session& session = sessions_[i];
    if (session.stage != Stage::open) continue;
    if (const auto ack = session.acks.due(time_)) send(session, wire::encode(*ack));
  }
}

void Swarm::on_ready(Session& session, uint32_t events) {
  if (session.stage == Stage::none) return;
  if (session.stage == Stage::connecting && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(session.socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return lost(session);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &session}};
    epoll_ctl(poll_.get(), EPOLL_CTL_MOD, session.socket.fd(), &event);
    session.stage = Stage::upgrading;
    session.out = handshake;
    return write(session);
  }
  // A handshake of TLS goes on with what waits for it.
  if (!session.out.empty()) write(session);
  if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read(session);
}

void Swarm::read(Session& session) {
  const auto [outcome, got] = session.socket.read(buffer_.data(), buffer_.size());
  if (outcome == net::Stream::Outcome::again) return;
  if (outcome != net::Stream::Outcome::some) return lost(session);
  std::string_view bytes(buffer_.data(), got);
  std::string whole;
  if (!session.partial.empty()) {
    whole = std::exchange(session.partial, {});
    whole.append(bytes);
    bytes = whole;
  }
  if (session.stage == Stage::upgrading) {
    const size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) return session.partial.assign(bytes), void();
    if (!bytes.starts_with("HTTP/1.1 101")) return lost(session);
    bytes.remove_prefix(end + 4);
    session.stage = Stage::greeting;
    wire::Hello hello;
    hello.token = tokens_[session.number];
    hello.app = "bench";
    if (on_hello) on_hello(session, hello);
    send(session, wire::encode(hello));
  }
  take(session, bytes);
}

void Swarm::take(Session& session, std::string_view bytes) {
  while (!bytes.empty() && session.stage != Stage::none) {
    const auto head = head_of(bytes);
    if (!head || head->begin + head->bytes > bytes.size()) {
      session.partial.assign(bytes);
      break;
    }
    if (bytes[0] != char(0x81)) return lost(session);
    take_frame(session, bytes.substr(head->begin, head->bytes));
    bytes.remove_prefix(head->begin + head->bytes);
  }
  if (session.stage != Stage::open || !acknowledges) return;
  if (const auto ack = session.acks.due(time_)) send(session, wire::encode(*ack));
}

void Swarm::take_frame(Session& session, std::string_view frame) {
  if (session.stage == Stage::greeting) {
    if (frame.starts_with(R"({"type":"welcome")")) {
      session.stage = Stage::open;
      --under_way_;
      ++open_;
    }
  } else if (frame.starts_with(R"({"type":"event")") ||
             frame.find(R"("ephemeral":true)") == std::string_view::npos) {
    session.acks.taken(1, frame.size(), time_);
    session.acks.heard(true);
  }
  if (on_frame) on_frame(session, frame);
}

void Swarm::send(Session& session, std::string_view frame) {
  if (session.out.empty()) unsent_.push_back(&session);
  net::append_frame(session.out, net::WebSocketOpcode::text, frame, mask);
}

void Swarm::flush() {
  for (size_t i = 0; i < unsent_.size(); ++i) {
    if (unsent_[i]->stage != Stage::none && !unsent_[i]->out.empty()) write(*unsent_[i]);
  }
  unsent_.clear();
}

// A load never has so much under way that its socket is full.
void Swarm::write(Session& session) {
  const auto [outcome, sent] = session.socket.write(session.out.data(), session.out.size());
  if (outcome == net::Stream::Outcome::again && tls_ && session.stage == Stage::upgrading) return;
  // If it is broken, reading finds the end.
  if (outcome != net::Stream::Outcome::broken && sent != session.out.size())
    give_up("a socket of the load is full");
  std::string().swap(session.out);
}

}  // namespace tidings::bench
