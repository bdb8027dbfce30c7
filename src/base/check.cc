#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace tidings::base {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "tidings: an invariant does not hold: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace tidings::base
