#include "engine/embedded/stamper.h"

#include <gtest/gtest.h>

namespace tidings::embedded {
namespace {

using base::WallTime;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using Notice = Stamper::Notice;

constexpr WallTime noon = base::wall_from_ms(1'790'000'000'000);

// A stamper with its two clocks; times are told in ms after noon.
class Stamps : public ::testing::Test {
 protected:
  void start(std::optional<WallTime> last, bool trusted = false) {
    stamper_.emplace(last, wall, monotonic_, trusted);
  }
  void pass(nanoseconds time) {
    monotonic_ += time;
    fraction_ += time;
    wall += std::chrono::floor<milliseconds>(fraction_);
    fraction_ -= std::chrono::floor<milliseconds>(fraction_);
  }
  int64_t stamp() {
    const auto stamp = stamper_->stamp(wall, monotonic_);
    notice = stamp.notice;
    alarms += notice == Notice::alarm;
    EXPECT_GE(stamp.time, newest_) << "time went back";
    newest_ = stamp.time;
    return (stamp.time - noon).count();
  }

  WallTime wall = noon;
  Notice notice = Notice::none;
  int alarms = 0;

 private:
  std::optional<Stamper> stamper_;
  base::MonotonicTime monotonic_{hours(5)};
  nanoseconds fraction_{};
  WallTime newest_{};
};

TEST_F(Stamps, follow_a_clock_that_is_right) {
  start(std::nullopt);
  EXPECT_EQ(stamp(), 0);
  pass(milliseconds(7));
  EXPECT_EQ(stamp(), 7);
  pass(hours(24 * 400));
  EXPECT_EQ(stamp(), (hours(24 * 400) / milliseconds(1)) + 7);
  EXPECT_EQ(alarms, 0);
}

TEST_F(Stamps, stand_still_while_the_clock_is_a_little_behind) {
  start(std::nullopt);
  stamp();
  wall -= seconds(59);
  for (int i = 0; i < 59; ++i) {
    EXPECT_EQ(stamp(), 0);
    pass(seconds(1));
  }
  pass(seconds(1));
  EXPECT_EQ(stamp(), 1000);
  EXPECT_EQ(alarms, 0);
}

TEST_F(Stamps, catch_up_with_a_small_jump_in_steps_of_two_seconds) {
  start(std::nullopt);
  stamp();
  wall += seconds(5);
  EXPECT_EQ(stamp(), 2000);
  EXPECT_EQ(stamp(), 4000);
  EXPECT_EQ(stamp(), 5000);
  pass(seconds(1));
  EXPECT_EQ(stamp(), 6000);
  EXPECT_EQ(alarms, 0);
}

TEST_F(Stamps, do_not_follow_a_clock_that_wakes_in_another_year_for_a_second) {
  start(std::nullopt);
  stamp();
  wall += hours(24 * 3650);
  EXPECT_EQ(stamp(), 0);
  EXPECT_EQ(notice, Notice::alarm);
  pass(seconds(1));
  EXPECT_EQ(stamp(), 1000) << "the monotonic clock goes on";
  EXPECT_EQ(notice, Notice::none);
  wall -= hours(24 * 3650);
  EXPECT_EQ(stamp(), 1000);
  EXPECT_EQ(notice, Notice::agrees);
  EXPECT_EQ(alarms, 1);
}

TEST_F(Stamps, believe_a_clock_that_is_ahead_steadily_for_ten_minutes) {
  start(std::nullopt);
  stamp();
  wall += hours(3);
  stamp();
  for (int second = 1; second < 600; ++second) {
    pass(seconds(1));
    ASSERT_EQ(stamp(), second * 1000);
  }
  pass(seconds(1));
  EXPECT_EQ(stamp(), (hours(3) + minutes(10)) / milliseconds(1));
  EXPECT_EQ(notice, Notice::believed);
  pass(seconds(1));
  EXPECT_EQ(stamp(), (hours(3) + minutes(10) + seconds(1)) / milliseconds(1));
  EXPECT_EQ(notice, Notice::none);
  EXPECT_EQ(alarms, 1);
}

TEST_F(Stamps, begin_the_ten_minutes_anew_when_the_clock_jumps_again) {
  start(std::nullopt);
  stamp();
  wall += hours(3);
  stamp();
  pass(minutes(9));
  stamp();
  wall += seconds(10);
  stamp();
  pass(minutes(9));
  EXPECT_EQ(stamp(), minutes(18) / milliseconds(1));
  pass(minutes(1));
  stamp();
  EXPECT_EQ(notice, Notice::believed);
  EXPECT_EQ(alarms, 1) << "one disagreement, one alarm";
}

TEST_F(Stamps, never_believe_a_clock_that_is_far_behind) {
  start(std::nullopt);
  stamp();
  wall -= hours(1);
  for (int minute = 1; minute <= 40; ++minute) {
    pass(minutes(1));
    EXPECT_EQ(stamp(), minute * 60'000);
  }
  EXPECT_EQ(alarms, 1);
  wall += hours(1);
  EXPECT_EQ(stamp(), minutes(40) / milliseconds(1));
  EXPECT_EQ(notice, Notice::agrees);
}

TEST_F(Stamps, go_on_when_the_clock_is_frozen) {
  start(std::nullopt);
  stamp();
  for (int second = 1; second <= 3600; ++second) {
    const WallTime frozen = wall;
    pass(seconds(1));
    wall = frozen;
    const int64_t now = stamp();
    EXPECT_LE(now, second * 1000);
    if (second > 62) {
      ASSERT_EQ(now, second * 1000);
    }
  }
  EXPECT_EQ(alarms, 1);
}

TEST_F(Stamps, do_not_run_away_with_a_clock_that_runs_too_fast) {
  start(std::nullopt);
  for (int second = 1; second <= 4000; ++second) {
    pass(seconds(1));
    wall += milliseconds(500);
    ASSERT_LE(stamp(), second * 1000 + 65'000);
  }
  EXPECT_EQ(alarms, 1);
}

TEST_F(Stamps, forgive_many_small_steps_of_a_clock_that_is_set_right_each_day) {
  start(std::nullopt);
  for (int day = 0; day < 200; ++day) {
    wall += seconds(10);
    for (int hour = 0; hour < 24; ++hour) {
      pass(hours(1));
      stamp();
    }
  }
  EXPECT_EQ(alarms, 0);
}

TEST_F(Stamps, lose_nothing_to_rounding_on_the_monotonic_clock) {
  start(std::nullopt);
  stamp();
  wall -= hours(1);
  for (int i = 0; i < 10'000; ++i) {
    pass(nanoseconds(300'700));
    stamp();
  }
  EXPECT_EQ(stamp(), 3007);
}

TEST_F(Stamps, start_at_the_newest_stamp_of_the_log_when_the_clock_is_behind_it) {
  start(noon + seconds(30));
  EXPECT_EQ(stamp(), 30'000);
  EXPECT_EQ(notice, Notice::none);
  start(noon + hours(1));
  EXPECT_EQ(stamp(), hours(1) / milliseconds(1));
  EXPECT_EQ(notice, Notice::alarm);
  pass(seconds(5));
  EXPECT_EQ(stamp(), (hours(1) + seconds(5)) / milliseconds(1));
}

TEST_F(Stamps, believe_at_a_start_a_clock_up_to_90_days_ahead) {
  start(noon - hours(24 * 90));
  EXPECT_EQ(stamp(), 0);
  EXPECT_EQ(alarms, 0);
}

TEST_F(Stamps, do_not_believe_at_a_start_a_clock_further_ahead_however_long_it_stays) {
  const WallTime last = noon - hours(24 * 91);
  start(last);
  const int64_t before = (last - noon).count();
  EXPECT_EQ(stamp(), before);
  EXPECT_EQ(notice, Notice::alarm);
  pass(minutes(11));
  EXPECT_EQ(stamp(), before + 660'000);
  wall += seconds(3);
  stamp();
  pass(minutes(11));
  EXPECT_EQ(stamp(), before + 1'320'000) << "set by three seconds it is as far away as before";
  wall -= hours(24 * 90);
  stamp();
  pass(minutes(11));
  stamp();
  EXPECT_EQ(notice, Notice::believed) << "a day ahead is a running clock like any other";
}

TEST_F(Stamps, believe_any_clock_at_a_start_that_somebody_vouches_for) {
  start(noon - hours(24 * 1000), true);
  EXPECT_EQ(stamp(), 0);
  EXPECT_EQ(alarms, 0);
}

TEST_F(Stamps, stay_within_what_a_message_id_can_hold) {
  wall = base::wall_from_ms(-5);
  start(std::nullopt);
  EXPECT_EQ(stamp(), (base::epoch - noon).count());
  wall = WallTime(milliseconds::max());
  stamp();
  wall = noon;
  pass(minutes(10));
  wall = WallTime(milliseconds::max());
  stamp();
  wall = WallTime(milliseconds::min());
  stamp();
}

}  // namespace
}  // namespace tidings::embedded
