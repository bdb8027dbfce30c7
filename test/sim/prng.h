// The simulator's own random numbers: seeded, the same everywhere (splitmix64).
#pragma once

#include <cstdint>

#include "base/time.h"

namespace tidings::sim {

class Prng {
 public:
  explicit Prng(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  // 0 <= result < bound; 0 for bound 0.
  uint64_t below(uint64_t bound) { return bound ? next() % bound : 0; }
  // from <= result <= to
  uint64_t between(uint64_t from, uint64_t to) { return from + below(to - from + 1); }
  bool chance(uint64_t per_mille) { return below(1000) < per_mille; }
  base::nanoseconds duration(base::nanoseconds below_this) {
    return base::nanoseconds(static_cast<int64_t>(below(static_cast<uint64_t>(below_this.count()))));
  }
  // A generator of its own, so that what one part draws does not move another.
  Prng fork() { return Prng(next()); }

 private:
  uint64_t state_;
};

}  // namespace tidings::sim
