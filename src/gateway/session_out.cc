// What a session writes: the one bound, pull mode, and how fast a connection is fed.
#include <algorithm>
#include <utility>

#include "base/seed_bug.h"
#include "gateway/session.h"

namespace tidings::gateway {

namespace {

// A connection that takes long is slow, and feels no longer pause.
constexpr base::nanoseconds pump_pause_first = std::chrono::milliseconds(20);
constexpr base::nanoseconds pump_pause_max = std::chrono::milliseconds(320);
// Answers go in above the bound, up to so many times its frames; and what was left out is told at this part.
constexpr size_t answers_factor = 2, told_part = 4;

}  // namespace

void Session::send(const Frame& frame) {
  if (stage_ != Stage::open) return;
  const auto& limits = shared_.parts.limits;
  const bool idle = connection_ && !ring_.waits();
  const size_t before = ring_.bytes();
  ring_.push(frame);
  if (parked_) shared_.parked.grow(ring_.bytes() - before);
  if (ring_.frames() > answers_factor * limits.unacked_frames_max) {
    // To go on with it later would only make it longer.
    Connection* connection = let_go();
    leave();
    if (connection) connection->end({wire::Code::slow_consumer, ""});
    return;
  }
  if (!connection_) return;
  const size_t outbox = connection_->outbox_bytes();
  if (idle && outbox < limits.outbox_bytes_high) {
    connection_->write(ring_.hand_over());
    if (outbox + frame.view().size() > limits.outbox_bytes_high) pump_later();
  } else {
    pump_later();
  }
}

void Session::send_uncounted(std::string_view frame) {
  if (stage_ != Stage::open || !connection_) return;
  connection_->write(frame);
  if (connection_->outbox_bytes() > shared_.parts.limits.outbox_bytes_high) pump_later();
}

bool Session::is_full(size_t more_bytes) const {
  const auto& limits = shared_.parts.limits;
  if (ring_.frames() == 0) return false;
  // What waits for the socket lies in the ring, too.
  const size_t held = ring_.bytes() + (connection_ ? connection_->outbox_bytes() : 0);
  return ring_.frames() >= limits.unacked_frames_max || held + more_bytes > limits.unacked_bytes_max;
}

bool Session::takes(size_t bytes) {
  if (dirty_) return false;
  if (!is_full(bytes) && !(parked_ && shared_.parked.is_full(bytes))) return true;
  dirty_ = std::make_unique<Dirty>(shared_.parts.limits.dirty_conversations_max);
  shared_.metrics.pulling.add(1);
  progress_at_ = parked_ ? progress_at_ : shared_.now();
  return false;
}

void Session::on_event(const ports::EventOut& event, const Frame& frame) {
  if (!is_open()) return;
  if (!takes(event.bytes.size())) return dirty_->note(event.conversation, event.seq);
  send(frame);
  if (std::ranges::find(event.joined, who_.user) != event.joined.end()) places_.lacks(event.conversation);
  // One's own messages, and one's own log, need no mark.
  if (event.from != who_.user && event.conversation != own_log_) {
    places_.event(ring_.newest(), event.conversation, event.seq);
  }
}

void Session::prefetch() const {
  constexpr size_t line = 64;
  const auto* const bytes = reinterpret_cast<const char*>(this);
  for (size_t at = 0; at < sizeof *this; at += line) __builtin_prefetch(bytes + at);
}

bool Session::on_train(Train& train) {
  if (!is_open() || dirty_ || !connection_ || ring_.waits()) return false;
  if (train.concerns(who_.user) || train.leaves_out(*this)) return false;
  const auto& limits = shared_.parts.limits;
  const size_t outbox = connection_->outbox_bytes(), frames = train.frames().size();
  const size_t more = train.bytes() + frames * Ring::holding_bytes;  // in the ring, and less in the outbox
  if (ring_.frames() + frames > limits.unacked_frames_max ||
      ring_.bytes() + outbox + 2 * more > limits.unacked_bytes_max ||
      outbox + more > limits.outbox_bytes_high) {
    return false;
  }
  const uint64_t first = ring_.newest() + 1;
  ring_.push(train.frames(), train.bytes());
  ring_.hand_over_all();
  connection_->write(train);
  for (const auto& [frame, place] : train.newest()) {
    if (place.conversation != own_log_) places_.event(first + frame, place.conversation, place.seq);
  }
  return true;
}

void Session::on_receipt(const ports::ReceiptOut& receipt, const Frame& frame) {
  if (!is_open() || (receipt.in_focus && focus_ != receipt.conversation)) return;
  if (!takes(receipt.bytes.size())) return dirty_->note(receipt.conversation, {});
  send(frame);
}

void Session::on_gap() {
  if (!is_open()) return;
  if (!dirty_) {
    dirty_ = std::make_unique<Dirty>(shared_.parts.limits.dirty_conversations_max);
    shared_.metrics.pulling.add(1);
  }
  dirty_->note_list();
  settle_dirty();
}

void Session::on_branch() {
  if (is_open()) send(wire::encode(wire::Dirty{.branch = shared_.parts.branch}));
}

void Session::settle_dirty() {
  const auto& limits = shared_.parts.limits;
  if (!dirty_ || ring_.frames() > limits.unacked_frames_max / told_part ||
      (ring_.bytes() > limits.unacked_bytes_max / told_part)) {
    return;
  }
  const auto frame = dirty_->frame();
  dirty_.reset();
  shared_.metrics.pulling.add(-1);
  if (TIDINGS_SEED_BUG(10)) return;
  shared_.metrics.dirty.add();
  if (frame.list) places_.lacks_any();
  for (const auto& row : frame.conversations) places_.lacks(row.conversation);
  send(wire::encode(frame));
}

void Session::pump() {
  if (!connection_) return;
  const size_t high = shared_.parts.limits.outbox_bytes_high;
  while (ring_.waits() && connection_->outbox_bytes() < high) connection_->write(ring_.hand_over());
  const bool stuck = connection_->outbox_bytes() > high;
  connection_->pause_reading(stuck);
  next_read();
  if (!connection_) return;
  if (ring_.waits() || stuck) return pump_later();
  pump_pause_ = {};
}

void Session::pump_later() {
  if (std::exchange(pump_waits_, true)) return;
  auto look = [alive = std::weak_ptr(shared_.alive), shared = &shared_, number = number_] {
    Session* session = alive.expired() ? nullptr : shared->session(number);
    if (!session) return;
    session->pump_waits_ = false;
    session->pump();
  };
  if (pump_pause_ == base::nanoseconds(0)) {
    pump_pause_ = pump_pause_first;
    return shared_.parts.executor.post(std::move(look));
  }
  shared_.parts.executor.after(pump_pause_, std::move(look));
  pump_pause_ = std::min(2 * pump_pause_, pump_pause_max);
}

}  // namespace tidings::gateway
