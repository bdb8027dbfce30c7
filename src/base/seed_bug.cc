#include "base/seed_bug.h"

namespace tidings::base {
int seed_bug_on = 0;
}  // namespace tidings::base
