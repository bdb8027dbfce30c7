#include "engine/embedded/system_random.h"

#include <sodium.h>

#include "base/check.h"

namespace tidings::embedded {

SystemRandom::SystemRandom() {
  TIDINGS_CHECK(sodium_init() >= 0);
}

void SystemRandom::fill(std::span<uint8_t> out) {
  randombytes_buf(out.data(), out.size());
}

}  // namespace tidings::embedded
