#include "client/cpp/line.h"

#include <algorithm>

#include "client/cpp/backoff.h"

namespace tidings::client {

using base::MonotonicTime;
using base::nanoseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr nanoseconds retry_first = milliseconds(500);
constexpr nanoseconds retry_cap = seconds(20);
constexpr uint64_t retry_hint_ms_max = 300'000;
constexpr nanoseconds open_timeout = seconds(15);
constexpr nanoseconds hello_timeout = seconds(10);
constexpr nanoseconds heartbeat_min = seconds(1);
// With 10 s for the answer a dead peer is seen within 40 s, also by a machine that has much to do.
constexpr nanoseconds heartbeat_max = seconds(28);
// And so is one of whom pages are awaited, which may take long: so long it says nothing at all, at most, but
// a ping has its 10 s.
constexpr nanoseconds silence_max = seconds(38);
constexpr nanoseconds ping_patience_min = seconds(10);
constexpr size_t leaving_max = 4;
constexpr uint16_t close_normal = 1000;
constexpr uint16_t close_protocol_error = 1002;

// The reason of a close is the code's word; the number alone is enough, too.
std::optional<wire::Code> code_of_close(uint16_t number, std::string_view reason) {
  if (const auto named = wire::code_named(reason)) return named;
  for (const wire::CodeRow& row : wire::codes) {
    if (row.close_code != 0 && row.close_code == number) return row.code;
  }
  return std::nullopt;
}

}  // namespace

struct Line::Peer : ports::Transport::Handler {
  explicit Peer(Line& owner) : line(&owner) {}
  void on_frame(std::string_view text) override {
    if (current) line->frame(text);
  }
  void on_closed(uint16_t code, std::string_view reason) override {
    if (current) {
      line->closed(code, reason);
    } else if (line) {
      line->bury(this);
    }
  }
  Line* line;  // nullptr once it may be gone
  std::unique_ptr<ports::Transport> transport;
  bool current = true;
};

Line::Line(base::Executor& executor, ports::Clock& clock, ports::Random& random, OpenTransport open,
           Host& host)
    : executor_(executor),
      clock_(clock),
      random_(random),
      open_(std::move(open)),
      host_(host),
      opening_(std::make_shared<uint64_t>(0)) {}

Line::~Line() = default;

void Line::start() {
  if (wanted_ && state_ != Connection::refused) return;
  wanted_ = true;
  tries_ = 0;
  state_ = Connection::offline;
  open_at_ = clock_.monotonic();
}

void Line::stop() {
  wanted_ = false;
  open_at_.reset();
  if (state_ == Connection::offline) return;
  if (welcomed()) send(wire::encode(wire::Bye{}));
  let_go(close_normal, "");
  host_.on_session_over();
  down(std::nullopt);
}

void Line::caught_up() {
  if (state_ != Connection::syncing) return;
  tries_ = 0;
  enter(Connection::online);
}

void Line::send(std::string_view frame) {
  if (welcomed() && peer_) peer_->transport->send(frame);
}

void Line::act(MonotonicTime now) {
  if (open_at_ && *open_at_ <= now) {
    open_at_.reset();
    open();
    return;
  }
  if (give_up_at_ && *give_up_at_ <= now) {
    broken("no answer");
    return;
  }
  if (ping_at_ && *ping_at_ <= now) {
    ping_at_ = now + heartbeat_;
    if (!give_up_at_) {
      const auto silent = std::min(now + host_.patience(), heard_at_ + silence_max);
      give_up_at_ = std::max(now + ping_patience_min, silent);
    }
    send(wire::encode(wire::Ping{}));
  }
}

std::optional<MonotonicTime> Line::next() const {
  std::optional<MonotonicTime> next = open_at_;
  for (const auto& at : {give_up_at_, ping_at_}) {
    if (at && (!next || *at < *next)) next = at;
  }
  return next;
}

void Line::open() {
  enter(Connection::connecting);
  told_.reset();
  hint_.reset();
  give_up_at_ = clock_.monotonic() + open_timeout;
  const uint64_t number = ++*opening_;
  open_(
      [this, weak = std::weak_ptr<uint64_t>(opening_), number](std::unique_ptr<ports::Transport> transport) {
        const auto newest = weak.lock();
        if (!newest || *newest != number) return;
        opened(std::move(transport));
        host_.on_turn();
      });
}

void Line::opened(std::unique_ptr<ports::Transport> transport) {
  if (state_ != Connection::connecting || peer_) return;
  if (!transport) {
    down(std::nullopt);
    return;
  }
  peer_ = std::make_unique<Peer>(*this);
  peer_->transport = std::move(transport);
  peer_->transport->set_handler(peer_.get());
  give_up_at_ = clock_.monotonic() + hello_timeout;
  peer_->transport->send(wire::encode(host_.hello()));
}

void Line::frame(std::string_view text) {
  const wire::ServerFrames parsed = wire::parse_server_frames(text);
  for (const auto& one : parsed.frames) {
    if (!one.ok() || !take(*one)) {
      host_.on_session_over();
      broken("bad_frame");
      break;
    }
    if (!peer_) break;
  }
  if (peer_ && welcomed()) host_.on_counted(parsed.counted, text.size());
  if (std::exchange(moved_, false) && peer_) {
    let_go(close_normal, "moved");
    down(wire::Code::draining);
  }
  host_.on_turn();
}

bool Line::take(const wire::ServerFrame& frame) {
  if (const auto* error = std::get_if<wire::ErrorFrame>(&frame); error && !error->request) {
    told_ = error->code;
    if (error->retry_ms) hint_ = milliseconds(std::min(*error->retry_ms, retry_hint_ms_max));
    return true;
  }
  told_.reset();
  // Whatever comes shows that the line lives; the pong may stand behind it.
  heard_at_ = clock_.monotonic();
  if (welcomed() && give_up_at_) give_up_at_ = heard_at_ + std::min(host_.patience(), silence_max);
  if (std::holds_alternative<wire::UnknownFrame>(frame)) return true;
  if (const auto* hello = std::get_if<wire::Welcome>(&frame)) {
    if (welcomed()) return false;
    return welcome(*hello);
  }
  if (!welcomed()) return false;
  if (const auto* pong = std::get_if<wire::Pong>(&frame)) {
    give_up_at_.reset();
    host_.on_server_time(pong->now);
    return true;
  }
  if (const auto* moved = std::get_if<wire::Moved>(&frame)) {
    hint_ = milliseconds(std::min(moved->retry_ms, retry_hint_ms_max));
    moved_ = true;
    return true;
  }
  return host_.on_frame(frame);
}

bool Line::welcome(const wire::Welcome& welcome) {
  const MonotonicTime now = clock_.monotonic();
  hint_.reset();
  give_up_at_.reset();
  heartbeat_ = std::clamp<nanoseconds>(milliseconds(std::min<uint64_t>(welcome.heartbeat_ms, 60'000)),
                                       heartbeat_min, heartbeat_max);
  ping_at_ = now + full_jitter(random_, heartbeat_, heartbeat_, 0);
  host_.on_server_time(welcome.now);
  enter(Connection::syncing);
  return host_.on_welcome(welcome);
}

void Line::closed(uint16_t code, std::string_view reason) {
  bury(peer_.get());
  std::optional<wire::Code> why = code_of_close(code, reason);
  if (!why) why = told_;
  down(why);
  host_.on_turn();
}

void Line::broken(std::string_view reason) {
  let_go(close_protocol_error, reason);
  down(std::nullopt);
}

void Line::let_go(uint16_t code, std::string_view reason) {
  ++*opening_;
  if (!peer_) return;
  peer_->current = false;
  peer_->transport->close(code, reason);
  leaving_.push_back(std::move(peer_));
  if (leaving_.size() > leaving_max) bury(leaving_.front().get());
}

void Line::down(std::optional<wire::Code> why) {
  const bool was_welcomed = welcomed();
  give_up_at_.reset();
  ping_at_.reset();
  ++*opening_;
  if (wanted_ && why && wire::row(*why).terminal) {
    wanted_ = false;
    host_.on_session_over();
    enter(Connection::refused, why);
  } else if (wanted_) {
    nanoseconds wait = hint_ ? *hint_ : full_jitter(random_, retry_first, retry_cap, tries_);
    if (!hint_ && why == wire::Code::rate_limited) wait += rate_wait_min;
    ++tries_;
    open_at_ = clock_.monotonic() + wait;
    enter(Connection::offline, why, wait);
  } else {
    enter(Connection::offline, why);
  }
  hint_.reset();
  if (was_welcomed) host_.on_down();
}

void Line::enter(Connection state, std::optional<wire::Code> why, nanoseconds retry_in) {
  state_ = state;
  host_.on_state(state, why, retry_in);
}

void Line::bury(Peer* peer) {
  std::unique_ptr<Peer> dead;
  if (peer == peer_.get()) {
    dead = std::move(peer_);
  } else {
    const auto leaving =
        std::find_if(leaving_.begin(), leaving_.end(), [peer](const auto& one) { return one.get() == peer; });
    if (leaving == leaving_.end()) return;
    dead = std::move(*leaving);
    leaving_.erase(leaving);
  }
  dead->current = false;
  dead->line = nullptr;
  // We may be inside one of its callbacks: it ends in a turn of its own, or with the executor.
  executor_.post([dead = std::move(dead)]() mutable { dead.reset(); });
}

}  // namespace tidings::client
