#pragma once

#include "base/time.h"

namespace tidings::ports {

// The time. Thread: any; never blocks. Simulated: virtual time that the simulator moves, and a wall clock
// that it bends.
class Clock {
 public:
  virtual ~Clock() = default;
  // What the machine believes; may jump either way at any moment.
  virtual base::WallTime wall() const = 0;
  // Never goes back; its zero means nothing.
  virtual base::MonotonicTime monotonic() const = 0;
};

}  // namespace tidings::ports
