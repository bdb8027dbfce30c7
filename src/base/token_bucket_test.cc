#include "base/token_bucket.h"

#include <gtest/gtest.h>

namespace tidings::base {
namespace {

using std::chrono::milliseconds;

constexpr Rate ten{10, seconds(1), 3};
MonotonicTime at(int64_t ms) {
  return MonotonicTime(milliseconds(ms));
}

TEST(TokenBucket, GivesABurstAndThenOneByOne) {
  TokenBucket bucket;
  for (size_t left : {2u, 1u, 0u}) {
    const auto drawn = bucket.draw(ten, at(0));
    EXPECT_TRUE(drawn.taken);
    EXPECT_EQ(drawn.left, left);
  }
  const auto refused = bucket.draw(ten, at(30));
  EXPECT_FALSE(refused.taken);
  EXPECT_EQ(refused.wait, milliseconds(70));
  EXPECT_EQ(refused.left, 0u);
  EXPECT_EQ(refused.full_in, milliseconds(270));
  EXPECT_FALSE(bucket.draw(ten, at(99)).taken);
  EXPECT_TRUE(bucket.draw(ten, at(100)).taken) << "what was refused must have cost nothing";
  EXPECT_FALSE(bucket.draw(ten, at(199)).taken);
}

TEST(TokenBucket, ARestFillsItAndNoMore) {
  TokenBucket bucket;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.draw(ten, at(0)).taken);
  EXPECT_FALSE(bucket.is_full(at(299)));
  EXPECT_TRUE(bucket.is_full(at(300)));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.draw(ten, at(100'000)).taken);
  EXPECT_FALSE(bucket.draw(ten, at(100'000)).taken);
}

TEST(TokenBucket, OverATimeGivesTheRate) {
  TokenBucket bucket;
  int taken = 0;
  for (int ms = 0; ms < 10'000; ++ms) taken += bucket.draw(ten, at(ms)).taken;
  EXPECT_EQ(taken, 102);  // the burst of 3, then one each 100 ms
}

TEST(TokenBucket, WhatCostsMoreThanABurstCostsAFullBucket) {
  TokenBucket bucket;
  EXPECT_TRUE(bucket.draw(ten, at(0), 50).taken);
  EXPECT_FALSE(bucket.draw(ten, at(0), 1).taken);
  EXPECT_FALSE(bucket.draw(ten, at(200), 50).taken);
  EXPECT_TRUE(bucket.draw(ten, at(300), 50).taken);
}

TEST(TokenBucket, LookTakesNothing) {
  TokenBucket bucket;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(bucket.look(ten, at(0)).left, 2u);
  EXPECT_EQ(bucket.draw(ten, at(0)).left, 2u);
  EXPECT_EQ(bucket.look(ten, at(0)).left, 1u);
}

TEST(TokenBucket, WithoutARateThereIsNoEnd) {
  TokenBucket bucket;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(bucket.draw(Rate{}, at(0)).taken);
}

TEST(TokenBuckets, EachKeyHasItsOwn) {
  Gauge gauge;
  TokenBuckets<int> buckets(ten, 100, gauge);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(buckets.draw(1, at(0)).taken);
  EXPECT_FALSE(buckets.draw(1, at(0)).taken);
  EXPECT_TRUE(buckets.draw(2, at(0)).taken);
}

TEST(TokenBuckets, HoldOnlyWhatIsNotFull) {
  Gauge gauge;
  TokenBuckets<int> buckets(ten, 1000, gauge);
  for (int key = 0; key < 100; ++key) buckets.draw(key, at(key));
  EXPECT_EQ(gauge.value(), 100);
  for (int i = 0; i < 60; ++i) buckets.draw(1000, at(1000 + i * 100));
  EXPECT_EQ(buckets.size(), 1u) << "two full ones go with each draw";
  EXPECT_EQ(gauge.value(), 1);
  buckets.settle(at(100'000));
  EXPECT_EQ(gauge.value(), 0);
}

TEST(TokenBuckets, AFullTableForgetsTheLeastRecent) {
  Gauge gauge;
  TokenBuckets<int> buckets(ten, 3, gauge);
  for (int key : {1, 2, 3}) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(buckets.draw(key, at(0)).taken);
  }
  EXPECT_FALSE(buckets.draw(1, at(1)).taken);  // used: 2 is the oldest now
  EXPECT_TRUE(buckets.draw(4, at(1)).taken);
  EXPECT_EQ(gauge.value(), 3);
  EXPECT_FALSE(buckets.draw(1, at(1)).taken);
  EXPECT_FALSE(buckets.draw(3, at(1)).taken);
  EXPECT_TRUE(buckets.draw(2, at(1)).taken);
}

TEST(TokenBuckets, AGaugeIsSharedAndGoesBack) {
  Gauge gauge;
  TokenBuckets<int> one(ten, 10, gauge);
  {
    TokenBuckets<int> other(ten, 10, gauge);
    one.draw(1, at(0));
    other.draw(1, at(0));
    EXPECT_EQ(gauge.value(), 2);
  }
  EXPECT_EQ(gauge.value(), 1);
}

TEST(TokenBuckets, WithoutARateNothingIsHeld) {
  Gauge gauge;
  TokenBuckets<int> buckets(Rate{}, 10, gauge);
  for (int key = 0; key < 100; ++key) EXPECT_TRUE(buckets.draw(key, at(0)).taken);
  EXPECT_EQ(gauge.value(), 0);
}

}  // namespace
}  // namespace tidings::base
