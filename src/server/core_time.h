// The core's log time, as a gateway process knows it: what the core told last, and the time since.
#pragma once

#include <atomic>

#include "ports/clock.h"

namespace tidings::server {

// Thread: any. Before the first word of the core the machine's clock stands in.
class CoreTime final : public ports::Clock {
 public:
  explicit CoreTime(const ports::Clock& clock)
      : clock_(clock), ahead_ms_(base::to_ms(clock.wall()) - monotonic_ms()) {}

  void told(base::WallTime log_time) { ahead_ms_ = base::to_ms(log_time) - monotonic_ms(); }

  base::WallTime wall() const override { return base::wall_from_ms(monotonic_ms() + ahead_ms_); }
  base::MonotonicTime monotonic() const override { return clock_.monotonic(); }

 private:
  int64_t monotonic_ms() const {
    return std::chrono::duration_cast<base::milliseconds>(clock_.monotonic().time_since_epoch()).count();
  }

  const ports::Clock& clock_;
  std::atomic<int64_t> ahead_ms_;
};

}  // namespace tidings::server
