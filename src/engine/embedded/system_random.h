// The kernel's random numbers, by libsodium.
#pragma once

#include "ports/random.h"

namespace tidings::embedded {

class SystemRandom : public ports::Random {
 public:
  SystemRandom();
  void fill(std::span<uint8_t> out) override;
};

}  // namespace tidings::embedded
