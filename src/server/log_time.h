// The machine's clock as the log believes it (protocol.md §1 "Stamps"): wall() is the log's time.
#pragma once

#include "ports/clock.h"
#include "ports/log.h"

namespace tidings::server {

// For whoever decides something by the time of day. A machine that shows 2036 for a second would otherwise
// log everybody out. Thread: any; the log and the clock outlive it.
class LogTime final : public ports::Clock {
 public:
  LogTime(const ports::Log& log, const ports::Clock& clock) : log_(log), clock_(clock) {}
  base::WallTime wall() const override { return log_.time(); }
  base::MonotonicTime monotonic() const override { return clock_.monotonic(); }

 private:
  const ports::Log& log_;
  const ports::Clock& clock_;
};

}  // namespace tidings::server
