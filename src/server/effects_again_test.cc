#include "server/effects_again.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/metrics.h"
#include "engine/embedded/rocks_store.h"
#include "test/contract/temporary_directory.h"

namespace tidings::server {
namespace {

using namespace std::chrono_literals;

const base::WallTime noon = base::epoch + 24h * 400;

TEST(EffectsAgain, ThoseOfTheNewestDayAreNotCalledDurable) {
  contract::TemporaryDirectory directory;
  base::Registry metrics;
  auto opened = embedded::RocksStore::open(directory.path() + "/store", metrics);
  ASSERT_TRUE(opened.ok());
  auto& store = **opened;
  ports::StoreBatch batch;
  for (uint64_t hours = 0; hours <= 30; ++hours) {
    batch.feed.push_back({{100 + hours}, noon + std::chrono::hours(hours), "entry"});
  }
  batch.checkpoints.push_back({.partition = {3}, .position = {130}, .time = noon + 30h, .effects = {130}});
  batch.checkpoints.push_back({.partition = {4}, .position = {130}, .time = noon + 30h, .effects = {102}});
  ASSERT_TRUE(store.commit(batch));
  ASSERT_TRUE(ask_effects_again(store, 24h));
  auto checkpoints = *store.checkpoints();
  std::ranges::sort(checkpoints, {}, [](const auto& c) { return c.partition.value; });
  ASSERT_EQ(checkpoints.size(), 2u);
  EXPECT_EQ(checkpoints[0].effects.value, 105u) << "the entry before the first of the last 24 hours";
  EXPECT_EQ(checkpoints[0].position.value, 130u);
  EXPECT_EQ(checkpoints[1].effects.value, 102u) << "it claimed less already";
}

TEST(EffectsAgain, AYoungFeedIsAskedForAsAWhole) {
  contract::TemporaryDirectory directory;
  base::Registry metrics;
  auto opened = embedded::RocksStore::open(directory.path() + "/store", metrics);
  ASSERT_TRUE(opened.ok());
  auto& store = **opened;
  EXPECT_TRUE(ask_effects_again(store, 24h)) << "nothing is there";
  ports::StoreBatch batch;
  batch.feed.push_back({{100}, noon, "entry"});
  batch.checkpoints.push_back({.partition = {3}, .position = {130}, .time = noon, .effects = {130}});
  ASSERT_TRUE(store.commit(batch));
  ASSERT_TRUE(ask_effects_again(store, 24h));
  EXPECT_EQ((*store.checkpoints())[0].effects.value, 0u);
}

}  // namespace
}  // namespace tidings::server
