// The real clock and the kernel's randomness, for clients. Thread: any.
#pragma once

#include "ports/clock.h"
#include "ports/random.h"

namespace tidings::client {

class SystemClock final : public ports::Clock {
 public:
  base::WallTime wall() const override;
  base::MonotonicTime monotonic() const override;
};

class SystemRandom final : public ports::Random {
 public:
  void fill(std::span<uint8_t> out) override;
};

}  // namespace tidings::client
