// Deliberate bugs that the simulator must find (reliability.md, "Who tests the tester"). In every binary but
// the test-only one TIDINGS_SEED_BUG(n) is the constant false. Use it in .cc files only.
#pragma once

namespace tidings::base {
// The one bug that is switched on in this process, 0 for none. Only test/sim sets it.
extern int seed_bug_on;
}  // namespace tidings::base

#ifdef TIDINGS_SEED_BUGS
#define TIDINGS_SEED_BUG(n) (::tidings::base::seed_bug_on == (n))
#else
#define TIDINGS_SEED_BUG(n) false
#endif
