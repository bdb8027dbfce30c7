#include "account/log_in_pauses.h"

#include <gtest/gtest.h>

namespace tidings::account {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

struct LogInPausesTest : testing::Test {
  base::Limits limits;
  LogInPauses pauses{limits};
  base::MonotonicTime now{seconds(1000)};
  base::nanoseconds take(const std::string& key = "ann") { return pauses.take(key, 2, now); }
  void fail(const std::string& key = "ann") { pauses.failed(key, 2, now); }
};

TEST_F(LogInPausesTest, EachFailureBeyondTheFreeOnesDoublesThePauseUpToAMinute) {
  EXPECT_EQ(take(), seconds(0));
  fail();
  EXPECT_EQ(take(), seconds(0));
  for (const int pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
    fail();
    EXPECT_EQ(take(), seconds(pause));
    EXPECT_EQ(take("bob"), seconds(0));
    now += seconds(pause) - milliseconds(1);
    EXPECT_EQ(take(), milliseconds(1));
    now += milliseconds(1);
    EXPECT_EQ(take(), seconds(0)) << "never for ever";
  }
}

TEST_F(LogInPausesTest, OfManyAtTheSameTimeOneMayTry) {
  fail(), fail();
  now += seconds(1);
  EXPECT_EQ(take(), seconds(0));
  EXPECT_EQ(take(), seconds(1));
}

TEST_F(LogInPausesTest, ARightPasswordAndAQuietQuarterOfAnHourForget) {
  for (int i = 0; i < 9; ++i) fail();
  pauses.forget("ann");
  EXPECT_EQ(take(), seconds(0));
  for (int i = 0; i < 9; ++i) fail();
  now += minutes(15);
  EXPECT_EQ(take(), seconds(0));
  EXPECT_EQ(pauses.size(), 0u);
}

TEST_F(LogInPausesTest, TheTableIsBoundedAndTheLeastRecentIsForgotten) {
  limits.log_in_failures_max = 3;
  for (const char* key : {"a", "b", "c", "a", "d"}) fail(key);
  EXPECT_EQ(pauses.size(), 3u);
  fail("a");
  EXPECT_GT(take("a"), seconds(0)) << "a was remembered";
  fail("b");
  EXPECT_EQ(take("b"), seconds(0)) << "b was not";
  pauses.failed("", 1, now);
  EXPECT_EQ(pauses.size(), 3u);
}

TEST(AddressBlock, IsAnAddressOrANetworkAndNothingForThisMachine) {
  EXPECT_EQ(address_block("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(address_block("::ffff:192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(address_block("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
  EXPECT_EQ(address_block("fe80::1%eth0"), "fe80::");
  for (const char* here : {"127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1", "", "nonsense"}) {
    EXPECT_EQ(address_block(here), "") << here;
  }
}

}  // namespace
}  // namespace tidings::account
