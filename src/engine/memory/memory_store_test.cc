#include "engine/memory/memory_store.h"

#include <set>
#include <stdexcept>

#include <gtest/gtest.h>

#include "engine/memory/memory_accounts.h"

namespace tidings::memory {
namespace {

struct TestRandom : ports::Random {
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out)
      byte = static_cast<uint8_t>((state = state * 6364136223846793005u + 1442695040888963407u) >> 56);
  }
  uint64_t state = 1;
};

ports::StoreBatch batch(uint64_t n) {
  return {.states = {{{}, {n}, std::to_string(n)}}, .low = model::Position{n}};
}
base::Bytes value(MemoryStore& store) {
  return store.load_state({}).value()->value;
}
uint64_t low(MemoryStore& store) {
  return store.low()->value;
}

TEST(MemoryStore, APowerCutFallsBackToAnyBatchSinceTheSyncAndKeepsNoLaterOne) {
  TestRandom random;
  std::set<uint64_t> seen;
  for (int round = 0; round < 200; ++round) {
    MemoryStore store;
    for (uint64_t n = 1; n <= 5; ++n) ASSERT_TRUE(store.commit(batch(n)).ok());
    ASSERT_TRUE(store.sync().ok());
    for (uint64_t n = 6; n <= 8; ++n) ASSERT_TRUE(store.commit(batch(n)).ok());
    store.power_cut(random);
    const uint64_t kept = low(store);
    EXPECT_EQ(value(store), std::to_string(kept));
    seen.insert(kept);
    // What remained is on the disk now.
    store.power_cut(random);
    EXPECT_EQ(low(store), kept);
  }
  EXPECT_EQ(seen, (std::set<uint64_t>{5, 6, 7, 8}));
}

TEST(MemoryStore, ACrashKeepsAllThatWasCommitted) {
  MemoryStore store;
  ASSERT_TRUE(store.commit(batch(1)).ok());
  store.crash();
  EXPECT_EQ(low(store), 1u);
}

TEST(MemoryStore, ADirectoryCopiedBackIsAsItWas) {
  TestRandom random;
  MemoryStore store;
  ASSERT_TRUE(store.commit(batch(90)).ok());
  const auto aside = store.snapshot();
  ASSERT_TRUE(store.commit(batch(100)).ok());
  store.restore(aside);
  EXPECT_EQ(low(store), 90u);
  EXPECT_EQ(value(store), "90");
  // A version that only the forgotten time knew counts as new again.
  ASSERT_TRUE(store.commit(batch(95)).ok());
  EXPECT_EQ(value(store), "95");
  store.restore(aside);
  store.power_cut(random);
  EXPECT_EQ(low(store), 90u);
}

TEST(MemoryStore, WhatIsDamagedIsKeptAside) {
  MemoryStore store;
  EXPECT_EQ(store.damaged({}), std::nullopt);
  ASSERT_TRUE(store.commit({.damaged = {{{}, "damaged"}}}).ok());
  EXPECT_EQ(store.damaged({}), "damaged");
  EXPECT_EQ(store.load_state({}).value(), std::nullopt);
}

TEST(MemoryStore, ACallWhoseHookThrowsHasChangedNothing) {
  std::string crash_at;
  MemoryStore store([&](std::string_view call) {
    if (call == crash_at) throw std::runtime_error("crash");
  });
  ASSERT_TRUE(store.commit(batch(1)).ok());
  crash_at = "commit";
  EXPECT_THROW((void)store.commit(batch(2)), std::runtime_error);
  crash_at = "sync";
  EXPECT_THROW((void)store.sync(), std::runtime_error);
  crash_at = "load_state";
  EXPECT_THROW((void)store.load_state({}), std::runtime_error);
  crash_at.clear();
  EXPECT_EQ(low(store), 1u);
  EXPECT_EQ(value(store), "1");
}

TEST(MemoryAccounts, CopiedBackTheyAreAsTheyWere) {
  MemoryAccounts accounts;
  ASSERT_TRUE(accounts.add_account({{1}, "ann", "Ann", "hash"}).ok());
  const auto aside = accounts.snapshot();
  ASSERT_TRUE(accounts.add_account({{2}, "bob", "Bob", "hash"}).ok());
  accounts.restore(aside);
  EXPECT_TRUE(accounts.find_by_handle("ann").value().has_value());
  EXPECT_FALSE(accounts.find_by_handle("bob").value().has_value());
}

}  // namespace
}  // namespace tidings::memory
