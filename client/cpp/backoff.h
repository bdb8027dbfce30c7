// How long to wait before trying again: `first` × 2^k up to `cap`, of which a random part is taken ("full
// jitter"), so that clients that were cut together do not come back together.
#pragma once

#include <algorithm>
#include <optional>

#include "base/time.h"
#include "ports/random.h"
#include "wire/frames.h"

namespace tidings::client {

inline base::nanoseconds full_jitter(ports::Random& random, base::nanoseconds first, base::nanoseconds cap,
                                     int tries_before) {
  const base::nanoseconds whole = std::min(cap, first * (int64_t{1} << std::clamp(tries_before, 0, 20)));
  return base::nanoseconds(static_cast<int64_t>(random.below(static_cast<uint64_t>(whole.count()) + 1)));
}

// When to try a request again: as the server says, within reason, else with jitter.
inline base::nanoseconds retry_wait(ports::Random& random, std::optional<uint64_t> retry_ms,
                                    base::nanoseconds first, base::nanoseconds cap, int tries_before) {
  if (!retry_ms) return full_jitter(random, first, cap, tries_before);
  return base::milliseconds(std::clamp<uint64_t>(*retry_ms, 10, 60'000));
}

// Who is told to be slower without a time waits for a while in any case.
inline constexpr base::nanoseconds rate_wait_min = std::chrono::seconds(1);

inline base::nanoseconds retry_wait(ports::Random& random, const wire::ErrorFrame& error,
                                    base::nanoseconds first, base::nanoseconds cap, int tries_before) {
  const auto wait = retry_wait(random, error.retry_ms, first, cap, tries_before);
  return error.code == wire::Code::rate_limited && !error.retry_ms ? rate_wait_min + wait : wait;
}

}  // namespace tidings::client
