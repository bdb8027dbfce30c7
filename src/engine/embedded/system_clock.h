// The machine's clocks.
#pragma once

#include "ports/clock.h"

namespace tidings::embedded {

class SystemClock : public ports::Clock {
 public:
  base::WallTime wall() const override;
  base::MonotonicTime monotonic() const override;
};

}  // namespace tidings::embedded
