// The seeded bugs of the store do what they say: without that the simulator's finding them would prove
// nothing.
#include <stdexcept>

#include <gtest/gtest.h>

#include "base/seed_bug.h"
#include "engine/memory/memory_store.h"

namespace tidings::contract {
namespace {

class SeededBugs : public testing::Test {
 protected:
  ~SeededBugs() override { base::seed_bug_on = 0; }

  // Commits one of everything and crashes when the hook is called for the `nth` time.
  void commit(int nth) {
    const ports::StoreBatch batch{.states = {{{}, {1}, "state"}},
                                  .chunks = {{{}, {1}, {1}, "chunk"}},
                                  .entries = {{{}, {}, {}, "entry"}},
                                  .checkpoints = {{{}, {1}, {}, 1, 1}}};
    calls_until_crash_ = nth;
    try {
      ASSERT_TRUE(store_.commit(batch).ok());
    } catch (const std::runtime_error&) {
    }
    calls_until_crash_ = 0;
  }
  // Which of state, chunk, entry and checkpoint are there.
  std::string there() {
    std::string out;
    if (store_.load_state({}).value()) out += 's';
    if (!store_.read_chunks({}, {}, 1).value().empty()) out += 'c';
    if (store_.find_entry({}, {}, {}).value().single) out += 'e';
    if (!store_.checkpoints().value().empty()) out += 'p';
    return out;
  }

 private:
  int calls_until_crash_ = 0;
  memory::MemoryStore store_{[this](std::string_view) {
    if (calls_until_crash_ > 0 && --calls_until_crash_ == 0) throw std::runtime_error("crash");
  }};
};

TEST_F(SeededBugs, WithoutOneACommitIsAllOrNothing) {
  commit(1);
  EXPECT_EQ(there(), "");
  commit(2);
  EXPECT_EQ(there(), "scep");
}

TEST_F(SeededBugs, Number6LosesTheDedupeEntries) {
  base::seed_bug_on = 6;
  commit(2);
  EXPECT_EQ(there(), "scp");
  commit(3);
  EXPECT_EQ(there(), "scep");
}

TEST_F(SeededBugs, Number14HasStatesAheadOfTheirRows) {
  base::seed_bug_on = 14;
  commit(2);
  EXPECT_EQ(there(), "s");
  commit(3);
  EXPECT_EQ(there(), "scep");
}

}  // namespace
}  // namespace tidings::contract
