#include "client/cpp/system.h"

#include <cerrno>
#include <chrono>

#include <sys/random.h>

#include "base/check.h"

namespace tidings::client {

base::WallTime SystemClock::wall() const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return base::WallTime(std::chrono::duration_cast<base::milliseconds>(now));
}

base::MonotonicTime SystemClock::monotonic() const {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return base::MonotonicTime(std::chrono::duration_cast<base::nanoseconds>(now));
}

void SystemRandom::fill(std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    // Fails only for a bad address or a kernel without it.
    TIDINGS_CHECK(got > 0 || errno == EINTR);
    if (got > 0) out = out.subspan(static_cast<size_t>(got));
  }
}

}  // namespace tidings::client
