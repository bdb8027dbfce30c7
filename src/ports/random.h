#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace tidings::ports {

// Unpredictable bytes (the real one is the kernel's CSPRNG; the simulated one is seeded). Thread: any; never
// fails.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<uint8_t> out) = 0;

  uint64_t u64() {
    std::array<uint8_t, 8> bytes;
    fill(bytes);
    uint64_t n = 0;
    for (const uint8_t byte : bytes) n = n << 8 | byte;
    return n;
  }
  // 0 <= result < bound, bound > 0. Evenly enough for jitter and ids, not for cryptography.
  uint64_t below(uint64_t bound) { return u64() % bound; }
};

}  // namespace tidings::ports
