#include "net/websocket_connection.h"

#include <sodium.h>

#include "net/websocket_deflate.h"

namespace tidings::net {

namespace {
constexpr base::nanoseconds end_timeout = std::chrono::seconds(1);
// A peer that pings without reading gets no more pongs than this; RFC 6455 asks for an answer to the latest
// ping only.
constexpr size_t pong_outbox_bytes_max = 4u << 10;
// What fits into one packet anyway is not worth the time.
constexpr size_t deflate_bytes_min = 1024;
}  // namespace

WebSocketConnection::WebSocketConnection(Reactor& reactor, Stream socket,
                                         std::shared_ptr<const WebSocketKind> kind, const Address& peer,
                                         Outbox outbox, std::string_view early, uint8_t window_bits)
    : kind_(std::move(kind)),
      reactor_(reactor),
      decoder_(kind_->role, kind_->message_bytes_max, kind_->takes_binary),
      outbox_(std::move(outbox)),
      socket_(std::move(socket)),
      peer_(peer),
      window_bits_(window_bits) {
  if (!early.empty()) early_ = std::make_unique<std::string>(early);
  if (kind_->role == WebSocketRole::client) randombytes_buf(&mask_state_, sizeof mask_state_);
  if (outbox_.bytes() > 0) reactor_.poller().at_turn_end(*this);
}

// What of a connection does not belong to its reactor.
struct WebSocketConnection::Moved {
  Moved(std::shared_ptr<const WebSocketKind> k, WebSocketDecoder d)
      : kind(std::move(k)), decoder(std::move(d)) {}
  Moved(Moved&&) = default;
  ~Moved() {
    if (socket && kind->connections) kind->connections->add(-1);
  }

  std::shared_ptr<const WebSocketKind> kind;
  WebSocketDecoder decoder;
  Outbox outbox;
  Stream socket;
  std::unique_ptr<std::string> early;
  Address peer;
  uint64_t mask_state = 0;
  uint8_t window_bits = 0;
};

WebSocketConnection::WebSocketConnection(Reactor& reactor, Moved moved)
    : kind_(moved.kind),
      reactor_(reactor),
      decoder_(std::move(moved.decoder)),
      outbox_(std::move(moved.outbox)),
      early_(std::move(moved.early)),
      mask_state_(moved.mask_state),
      socket_(std::move(moved.socket)),
      peer_(moved.peer),
      window_bits_(moved.window_bits) {
  if (outbox_.bytes() > 0) reactor_.poller().at_turn_end(*this);
}

WebSocketConnection::~WebSocketConnection() {
  if (gone_) *gone_ = true;
  if (phase_ != Phase::closed) release();
  reactor_.poller().forget(*this);
}

void WebSocketConnection::set_handler(Handler* handler) {
  handler_ = handler;
  if (reading_ || phase_ == Phase::closed) return;
  reading_ = true;
  reactor_.poller().add(socket_.fd(), *this, 0);
  listen();
  if (early_) reactor_.poller().at_turn_end(*this);
}

void WebSocketConnection::send(std::string_view text) {
  if (phase_ == Phase::open) append_message(WebSocketOpcode::text, text);
}

void WebSocketConnection::send_binary(std::string_view bytes) {
  if (phase_ == Phase::open) append_message(WebSocketOpcode::binary, bytes);
}

bool WebSocketConnection::send_encoded(const base::SharedBytes& texts) {
  if (kind_->role != WebSocketRole::server || window_bits_ != 0) return false;
  if (phase_ != Phase::open) return true;
  outbox_.append(texts, reactor_.buffers());
  reactor_.poller().at_turn_end(*this);
  return true;
}

base::SharedBytes encode_texts(std::span<const std::string_view> texts) {
  std::string out;
  for (const auto text : texts) append_frame(out, WebSocketOpcode::text, text, std::nullopt);
  return base::SharedBytes(out);
}

void WebSocketConnection::close(uint16_t code, std::string_view reason) {
  if (phase_ != Phase::open) return;
  append(WebSocketOpcode::close, close_payload(code, reason));
  begin_end(Phase::closing, 1006, {});
  pause_reading(false);
}

void WebSocketConnection::pause_reading(bool pause) {
  if (paused_ == pause || phase_ == Phase::closed || (pause && phase_ != Phase::open)) return;
  paused_ = pause;
  listen();
  if (!paused_ && early_) reactor_.poller().at_turn_end(*this);
}

MovedWebSocket WebSocketConnection::move_out() {
  if (phase_ != Phase::open) return {};
  auto moved = std::make_unique<Moved>(kind_, std::move(decoder_));
  if (reading_) reactor_.poller().remove(socket_.fd(), *this);
  outbox_.unshare(reactor_.buffers());
  moved->outbox = std::exchange(outbox_, {});
  moved->socket = std::move(socket_);
  moved->early = std::move(early_);
  moved->peer = peer_;
  moved->mask_state = mask_state_;
  moved->window_bits = window_bits_;
  phase_ = Phase::closed;
  handler_ = nullptr;
  return [moved = std::move(moved)](Reactor& to) -> std::unique_ptr<WebSocket> {
    return std::unique_ptr<WebSocketConnection>(new WebSocketConnection(to, std::move(*moved)));
  };
}

void WebSocketConnection::on_ready(uint32_t events) {
  events = socket_.may(events);
  if (blocked_ && (events & EPOLLOUT)) {
    blocked_ = false;
    listen();
    reactor_.poller().at_turn_end(*this);
  }
  if (paused_) {
    // Nobody may read what is left, and the poller would tell of the broken socket for ever.
    if (events & (EPOLLHUP | EPOLLERR)) finish_broken();
    return;
  }
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read();
}

void WebSocketConnection::on_turn_end() {
  if (phase_ == Phase::closed) return;
  if (early_ && handler_ && !paused_) {
    const auto early = std::move(early_);
    if (!take(std::span(*early))) return;
  }
  flush();
}

// One recv per readiness, at most the shared buffer: a peer that floods does not starve the others.
void WebSocketConnection::read() {
  if (early_) return;  // comes first, when the turn ends
  char* const buffer = reactor_.receive_buffer();
  const auto [outcome, n] = socket_.read(buffer, reactor_.receive_buffer_bytes());
  if (outcome == Stream::Outcome::again) return listen();
  if (outcome != Stream::Outcome::some) return finish_broken();
  take(std::span(buffer, n));
}

bool WebSocketConnection::take(std::span<char> bytes) {
  WebSocketDeflate* const deflate = window_bits_ == 0 ? nullptr : &reactor_.deflate();
  while (phase_ == Phase::open || phase_ == Phase::closing) {
    const auto event = decoder_.next(bytes, deflate);
    if (event.kind == WebSocketEvent::Kind::more) return true;
    if (!take(event)) return false;
    if (paused_ && !bytes.empty()) {
      early_ = std::make_unique<std::string>(bytes.data(), bytes.size());
      return true;
    }
  }
  return true;
}

bool WebSocketConnection::take(const WebSocketEvent& event) {
  using Kind = WebSocketEvent::Kind;
  switch (event.kind) {
    case Kind::more:
    case Kind::pong:
      return true;
    case Kind::message: {
      if (phase_ != Phase::open || !handler_) return true;
      bool gone = false;
      gone_ = &gone;
      event.binary ? handler_->on_binary(event.payload) : handler_->on_message(event.payload);
      if (gone) return false;
      gone_ = nullptr;
      return true;
    }
    case Kind::ping:
      if (phase_ == Phase::open && outbox_.bytes() <= pong_outbox_bytes_max)
        append(WebSocketOpcode::pong, event.payload);
      return true;
    case Kind::close:
      if (phase_ == Phase::open) append(WebSocketOpcode::close, close_payload(event.code, {}));
      if (outbox_.bytes() == 0) {
        finish(event.code, std::string(event.payload));
        return false;
      }
      begin_end(Phase::echoing, event.code, event.payload);
      return true;
    case Kind::violation: {
      const bool binary = event.code == 1003;
      const uint16_t code = binary ? kind_->on_binary.code : event.code;
      const std::string_view reason = binary ? std::string_view(kind_->on_binary.reason) : event.payload;
      if (phase_ == Phase::open) append(WebSocketOpcode::close, close_payload(code, reason));
      begin_end(Phase::refusing, code, reason);
      return true;
    }
  }
  return true;
}

void WebSocketConnection::flush() {
  if (blocked_ || outbox_.bytes() == 0) return;
  switch (outbox_.write(socket_, reactor_.buffers())) {
    case Outbox::Written::some:
      blocked_ = true;
      listen();
      return;
    case Outbox::Written::broken:
      // What the peer sent before it went (its close frame, say) may still lie in the kernel: read() finds
      // the end.
      if (phase_ == Phase::echoing) on_drained();
      return;
    case Outbox::Written::all:
      on_drained();
  }
}

void WebSocketConnection::listen() {
  const uint32_t in = paused_ ? 0 : EPOLLIN;
  const uint32_t out = blocked_ ? EPOLLOUT : 0;
  if (reading_) reactor_.poller().change(socket_.fd(), *this, socket_.waits_for(in | out));
}

void WebSocketConnection::on_drained() {
  switch (phase_) {
    case Phase::closing:
      limit_end();
      return;
    case Phase::refusing:
      socket_.shut_write();
      limit_end();
      return;
    case Phase::echoing:
      return finish_broken();
    default:
      return;
  }
}

void WebSocketConnection::append_message(WebSocketOpcode opcode, std::string_view message) {
  const bool always = kind_->compression == WebSocketCompression::always;
  if (window_bits_ != 0 && (always || message.size() >= deflate_bytes_min)) {
    const size_t bytes_max = always ? message.size() + message.size() / 16 + 64 : message.size() - 1;
    if (const auto deflated = reactor_.deflate().deflate(message, window_bits_, bytes_max))
      return append(opcode, *deflated, true);
  }
  append(opcode, message);
}

void WebSocketConnection::append(WebSocketOpcode opcode, std::string_view payload, bool compressed) {
  std::optional<uint32_t> mask;
  if (kind_->role == WebSocketRole::client) {
    // SplitMix64, seeded at random: masks only have to be unknown to who chose the payload.
    uint64_t z = mask_state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    mask = static_cast<uint32_t>(z >> 32);
  }
  append_frame(outbox_.buffer(reactor_.buffers()), opcode, payload, mask, compressed);
  reactor_.poller().at_turn_end(*this);
}

void WebSocketConnection::begin_end(Phase phase, uint16_t code, std::string_view reason) {
  phase_ = phase;
  ending_ = std::make_unique<Ending>(Ending{code, std::string(reason)});
  limit_end();
}

void WebSocketConnection::limit_end() {
  reactor_.cancel(timer_);
  timer_ = reactor_.after(end_timeout, [this] {
    timer_ = 0;
    finish_broken();
  });
}

void WebSocketConnection::release() {
  phase_ = Phase::closed;
  reactor_.cancel(std::exchange(timer_, 0));
  if (reading_) reactor_.poller().remove(socket_.fd(), *this);
  socket_.reset();
  outbox_.drop(reactor_.buffers());
  if (kind_->connections) kind_->connections->add(-1);
}

void WebSocketConnection::finish(uint16_t code, std::string_view reason) {
  release();
  if (handler_) handler_->on_closed(code, reason);
}

void WebSocketConnection::finish_broken() {
  if (!ending_) return finish(1006, {});
  const auto ending = std::move(ending_);
  finish(ending->code, ending->reason);
}

}  // namespace tidings::net
