// How often something may happen, as a number (base/token_bucket.h counts it).
#pragma once

#include <cstddef>

#include "base/time.h"

namespace tidings::base {

// `count` in each `period`, and `burst` of them at once after a rest. count 0: as often as one likes.
struct Rate {
  size_t count = 0;
  nanoseconds period = seconds(1);
  size_t burst = 1;

  bool limited() const { return count != 0; }
  // From one to the next.
  nanoseconds each() const { return period / static_cast<int64_t>(count); }
  // From empty to full.
  nanoseconds fill_time() const { return each() * static_cast<int64_t>(burst); }
  friend bool operator==(const Rate&, const Rate&) = default;
};

}  // namespace tidings::base
