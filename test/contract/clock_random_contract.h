// What every Clock and every Random must do. An engine takes part by fixtures:
//   struct Fixture {
//     tidings::ports::Clock& clock();
//     void let_time_pass();  // virtual time: moves on by some ms; real time: nothing
//   };
//   struct Fixture {
//     tidings::ports::Random& random();
//   };
// and INSTANTIATE_TYPED_TEST_SUITE_P(Name, ClockContract, Fixture), RandomContract likewise.
#pragma once

#include <bit>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "ports/clock.h"
#include "ports/random.h"

namespace tidings::contract {

template <class Fixture>
class ClockContract : public testing::Test {
 protected:
  Fixture fixture;
};

TYPED_TEST_SUITE_P(ClockContract);

TYPED_TEST_P(ClockContract, MonotonicTimeGoesOnAndNeverBack) {
  const ports::Clock& clock = this->fixture.clock();
  const auto start = clock.monotonic();
  auto last = start;
  while (last < start + std::chrono::milliseconds(2)) {
    this->fixture.let_time_pass();
    const auto now = clock.monotonic();
    ASSERT_GE(now, last);
    last = now;
  }
}

TYPED_TEST_P(ClockContract, WallTimeIsOurs) {
  EXPECT_GT(this->fixture.clock().wall(), base::epoch);
  EXPECT_LT(this->fixture.clock().wall(), base::epoch + std::chrono::hours(24 * 365 * 60));
}

REGISTER_TYPED_TEST_SUITE_P(ClockContract, MonotonicTimeGoesOnAndNeverBack, WallTimeIsOurs);

template <class Fixture>
class RandomContract : public testing::Test {
 protected:
  Fixture fixture;
};

TYPED_TEST_SUITE_P(RandomContract);

TYPED_TEST_P(RandomContract, NumbersDoNotRepeatAndAllBitsMove) {
  std::set<uint64_t> seen;
  int bits = 0;
  for (int i = 0; i < 10000; ++i) {
    const uint64_t n = this->fixture.random().u64();
    seen.insert(n);
    bits += std::popcount(n);
  }
  EXPECT_EQ(seen.size(), 10000u);
  EXPECT_NEAR(bits, 320000, 4000);  // ten standard deviations
}

TYPED_TEST_P(RandomContract, EveryLengthIsFilledAndNothingBeyondIt) {
  for (size_t size : {0, 1, 7, 8, 9, 33, 1000}) {
    std::vector<uint8_t> bytes(size + 1, 0);
    std::vector<bool> moved(size + 1, false);
    for (int round = 0; round < 8; ++round) {
      this->fixture.random().fill(std::span(bytes).first(size));
      for (size_t i = 0; i <= size; ++i) moved[i] = moved[i] || bytes[i] != 0;
    }
    for (size_t i = 0; i < size; ++i) EXPECT_TRUE(moved[i]) << size << ' ' << i;
    EXPECT_FALSE(moved[size]);
  }
}

REGISTER_TYPED_TEST_SUITE_P(RandomContract, NumbersDoNotRepeatAndAllBitsMove,
                            EveryLengthIsFilledAndNothingBeyondIt);

}  // namespace tidings::contract
