// The clock and the randomness of a simulated machine.
#pragma once

#include <optional>

#include "ports/clock.h"
#include "ports/random.h"
#include "test/sim/scheduler.h"

namespace tidings::sim {

// Monotonic time is virtual time; the wall is what the faults make of it.
class SimClock : public ports::Clock {
 public:
  SimClock(Scheduler& scheduler, base::WallTime start) : scheduler_(scheduler), start_(start) {}

  base::WallTime wall() const override {
    if (frozen_) return *frozen_;
    return start_ + offset_ + std::chrono::duration_cast<base::milliseconds>(monotonic().time_since_epoch());
  }
  base::MonotonicTime monotonic() const override { return scheduler_.now(); }

  void jump(base::milliseconds by) {
    offset_ += by;
    frozen_.reset();
  }
  void freeze() { frozen_ = wall(); }
  // Right again.
  void repair() {
    offset_ = {};
    frozen_.reset();
  }

 private:
  Scheduler& scheduler_;
  const base::WallTime start_;
  base::milliseconds offset_{};
  std::optional<base::WallTime> frozen_;
};

class SimRandom : public ports::Random {
 public:
  explicit SimRandom(Prng prng) : prng_(prng) {}
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = static_cast<uint8_t>(prng_.next() >> 24);
  }

 private:
  Prng prng_;
};

}  // namespace tidings::sim
