// The stamps of the log (protocol.md §1 "Stamps"): time that never goes back and is never far ahead, made
// from a wall clock that may do anything and a monotonic clock that only counts.
#pragma once

#include <optional>

#include "base/time.h"

namespace tidings::embedded {

// Pure: it sees clocks only through its arguments. Not thread-safe; the log guards it.
//
// It keeps what the wall clock should show by now: the newest belief, carried on by the monotonic clock. A
// wall clock within 60 s of that agrees: stamp = max(last, wall), at most 2 s ahead of last + monotonic time,
// and the belief follows the wall by 1 ms a second, so that neither a frozen clock nor one that runs away is
// followed far. Otherwise it disagrees: stamps go on with the monotonic clock and `alarm` is told once. A
// clock that is ahead and has stayed the same way ahead for 10 minutes is believed; one that is behind never
// is, because time cannot go back.
class Stamper {
 public:
  // What a stamp made known.
  enum class Notice {
    none,
    alarm,    // the wall clock began to disagree
    agrees,   // it agrees again
    believed  // it was ahead steadily and is now believed: time has jumped
  };
  struct Stamp {
    base::WallTime time;
    Notice notice;
  };

  // `last` is the newest stamp in the log, nothing in an empty one. A wall clock up to 90 days ahead of it is
  // believed at once; further ahead only with `wall_is_trusted` (the kernel reports it synchronised, or an
  // operator agreed), otherwise not even after 10 minutes.
  Stamper(std::optional<base::WallTime> last, base::WallTime wall, base::MonotonicTime monotonic,
          bool wall_is_trusted);

  // The stamp of a record that is appended now. `monotonic` must not go back between calls.
  Stamp stamp(base::WallTime wall, base::MonotonicTime monotonic);

 private:
  // ns since 1970, so that nothing is lost to rounding between stamps that lie close together.
  using Nanoseconds = base::nanoseconds;
  struct Disagreement {
    base::MonotonicTime since;
    Nanoseconds ahead;  // by how much when it began; another amount begins anew
  };

  Stamp grow_to(Nanoseconds time, base::MonotonicTime monotonic, Notice notice);

  Nanoseconds last_{};
  base::MonotonicTime last_at_;    // when `last_` last grew
  Nanoseconds belief_{};           // what the wall clock showed, as far as it is believed,
  base::MonotonicTime belief_at_;  // at this moment
  std::optional<Disagreement> disagreement_;
  bool too_far_at_start_ = false;  // and it has not agreed since
};

}  // namespace tidings::embedded
