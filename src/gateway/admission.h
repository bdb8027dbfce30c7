// In which order hellos are checked, so that all clients at once are no more work at a time than some of
// them: first come, first served; a bounded number in flight, a bounded number waits, the rest is told when
// to come again.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/limits.h"
#include "base/time.h"

namespace tidings::gateway {

class Admission {
 public:
  enum class Verdict { now, later, busy };
  explicit Admission(const base::Limits& limits) : limits_(limits) {}

  // `connection` has said hello. now: it is in flight. later: next() names it in its turn.
  Verdict admit(uint64_t connection);
  // One that is in flight is welcomed, refused or gone.
  void finished(base::MonotonicTime now);
  // The longest waiting one, in flight from now on, if there is room. It may be gone by now.
  std::optional<uint64_t> next();

  size_t in_flight() const { return in_flight_; }
  size_t waiting() const { return waiting_.size(); }
  // How long all that wait will need, by what the last ones needed.
  base::nanoseconds backlog() const { return per_hello_ * static_cast<int64_t>(waiting_.size()); }

 private:
  const base::Limits& limits_;
  size_t in_flight_ = 0;
  std::deque<uint64_t> waiting_;
  base::nanoseconds per_hello_ = std::chrono::microseconds(200);
  base::MonotonicTime last_finished_{};
  bool was_full_ = false;  // at last_finished_: only then the time between two tells anything
};

}  // namespace tidings::gateway
