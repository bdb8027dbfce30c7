// Two clocks that cannot be mixed up: wall time for people and stamps, monotonic time for time-outs.
#pragma once

#include <chrono>
#include <cstdint>

namespace tidings::base {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

namespace detail {
struct WallTag {
  using rep = int64_t;
  using period = std::milli;
  using duration = milliseconds;
  static constexpr bool is_steady = false;
};
struct MonotonicTag {
  using rep = int64_t;
  using period = std::nano;
  using duration = nanoseconds;
  static constexpr bool is_steady = true;
};
}  // namespace detail

// Milliseconds since 1970-01-01 UTC.
using WallTime = std::chrono::time_point<detail::WallTag, milliseconds>;
// Nanoseconds since a moment of this machine's choosing; never goes back.
using MonotonicTime = std::chrono::time_point<detail::MonotonicTag, nanoseconds>;

constexpr int64_t to_ms(WallTime t) {
  return t.time_since_epoch().count();
}
constexpr WallTime wall_from_ms(int64_t ms) {
  return WallTime(milliseconds(ms));
}

// 2025-01-01 UTC, the zero of message ids.
constexpr WallTime epoch = wall_from_ms(1735689600000);

}  // namespace tidings::base
