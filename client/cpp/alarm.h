// One wake-up for a thing that lives by deadlines: it acts whenever it is called, and asks the alarm to call
// it again at its next deadline. Lives on the executor of its owner; destroyed, it never rings.
#pragma once

#include <functional>
#include <optional>

#include "base/executor.h"
#include "ports/clock.h"

namespace tidings::client {

class Alarm {
 public:
  Alarm(base::Executor& executor, ports::Clock& clock, std::function<void()> ring)
      : executor_(executor), clock_(clock), ring_(std::move(ring)) {}
  ~Alarm() { cancel(); }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // Rings at `moment` or earlier: a ring that finds nothing to do is harmless.
  void by(base::MonotonicTime moment) {
    if (timer_ != 0 && rings_at_ <= moment) return;
    cancel();
    rings_at_ = moment;
    const base::MonotonicTime now = clock_.monotonic();
    timer_ = executor_.after(moment > now ? moment - now : base::nanoseconds(0), [this] {
      timer_ = 0;
      ring_();
    });
  }
  void cancel() {
    if (timer_ != 0) executor_.cancel(timer_);
    timer_ = 0;
  }

 private:
  base::Executor& executor_;
  ports::Clock& clock_;
  std::function<void()> ring_;
  base::TimerId timer_ = 0;
  base::MonotonicTime rings_at_{};
};

// The earlier of two deadlines, either of which may be missing.
inline std::optional<base::MonotonicTime> earlier(std::optional<base::MonotonicTime> a,
                                                  std::optional<base::MonotonicTime> b) {
  if (!a) return b;
  if (!b) return a;
  return *a < *b ? a : b;
}

}  // namespace tidings::client
