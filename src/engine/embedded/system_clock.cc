#include "engine/embedded/system_clock.h"

namespace tidings::embedded {

base::WallTime SystemClock::wall() const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return base::WallTime(std::chrono::floor<base::milliseconds>(now));
}

base::MonotonicTime SystemClock::monotonic() const {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return base::MonotonicTime(std::chrono::duration_cast<base::nanoseconds>(now));
}

}  // namespace tidings::embedded
