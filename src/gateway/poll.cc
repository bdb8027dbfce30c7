#include "gateway/poll.h"

#include <utility>

namespace tidings::gateway {

Poll::~Poll() {
  executor_.cancel(timer_);
}

void Poll::wait(Answer next) {
  if (waiting_) answer();
  waiting_ = std::move(next);
  timer_ = executor_.after(limits_.poll_wait, [this] { answer(); });
  if (closed_ || !frames_.empty()) answer_soon();
}

void Poll::forget_unanswered() {
  frames_.clear();
  if (waiting_) answer();
}

void Poll::send(std::string_view frame) {
  if (closed_) return;
  if (!frames_.empty()) frames_ += ',';
  frames_ += frame;
  if (waiting_) answer_soon();
}

void Poll::answer_soon() {
  if (std::exchange(answers_soon_, true)) return;
  executor_.post([this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    answers_soon_ = false;
    if (waiting_ && (closed_ || !frames_.empty())) answer();
  });
}

void Poll::answer() {
  executor_.cancel(std::exchange(timer_, 0));
  std::exchange(waiting_, Answer())("[" + std::exchange(frames_, {}) + "]");
}

void Poll::close(uint16_t code, std::string_view reason) {
  if (std::exchange(closed_, true)) return;
  executor_.post([this, alive = std::weak_ptr(alive_), code, text = std::string(reason)] {
    if (alive.expired()) return;
    if (waiting_) answer();
    if (handler_) handler_->on_closed(code, text);
  });
}

}  // namespace tidings::gateway
