#include "net/timer_wheel.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace tidings::net {
namespace {

using Tick = TimerWheel::Tick;

std::vector<int> fire(TimerWheel& wheel, Tick now, std::vector<int>& fired) {
  fired.clear();
  wheel.advance(now);
  base::Task task;
  while (wheel.pop_due(task)) task();
  return fired;
}

TEST(TimerWheel, fires_at_its_tick_and_not_before) {
  for (const Tick due :
       {1ull, 255ull, 256ull, 257ull, 65535ull, 65536ull, 70000ull, 1ull << 24, (1ull << 32) + 5}) {
    TimerWheel wheel;
    std::vector<int> fired;
    wheel.set(due, [&] { fired.push_back(1); });
    EXPECT_TRUE(fire(wheel, due - 1, fired).empty()) << due;
    EXPECT_EQ(wheel.next(), due);
    EXPECT_EQ(fire(wheel, due, fired).size(), 1u) << due;
    EXPECT_TRUE(wheel.empty());
    EXPECT_EQ(wheel.next(), std::nullopt);
  }
}

TEST(TimerWheel, one_tick_fires_in_the_order_of_setting_whatever_level_it_came_from) {
  TimerWheel wheel;
  std::vector<int> fired;
  wheel.set(70000, [&] { fired.push_back(1); });
  wheel.advance(66000);
  wheel.set(70000, [&] { fired.push_back(2); });
  wheel.advance(69999);
  wheel.set(70000, [&] { fired.push_back(3); });
  wheel.set(69999, [&] { fired.push_back(4); });  // late: the tick after now
  EXPECT_EQ(fire(wheel, 70000, fired), (std::vector{1, 2, 3, 4}));
}

TEST(TimerWheel, a_cancelled_timer_never_fires_even_when_it_was_due_already) {
  TimerWheel wheel;
  std::vector<int> fired;
  const auto first = wheel.set(10, [&] { fired.push_back(1); });
  base::TimerId second = 0;
  wheel.set(10, [&] { EXPECT_TRUE(wheel.cancel(second)); });
  second = wheel.set(10, [&] { fired.push_back(2); });
  EXPECT_TRUE(wheel.cancel(first));
  EXPECT_FALSE(wheel.cancel(first));
  EXPECT_TRUE(fire(wheel, 1000, fired).empty());
  EXPECT_FALSE(wheel.cancel(0));
  EXPECT_FALSE(wheel.cancel(~0ull));
}

TEST(TimerWheel, the_id_of_a_fired_timer_does_not_cancel_its_successor_in_the_same_place) {
  TimerWheel wheel;
  std::vector<int> fired;
  const auto old = wheel.set(1, [] {});
  fire(wheel, 1, fired);
  wheel.set(2, [&] { fired.push_back(2); });
  EXPECT_FALSE(wheel.cancel(old));
  EXPECT_EQ(fire(wheel, 2, fired).size(), 1u);
}

TEST(TimerWheel, a_task_that_sets_a_timer_at_once_does_not_run_it_in_the_same_advance) {
  TimerWheel wheel;
  int runs = 0;
  wheel.set(1, [&] {
    ++runs;
    wheel.set(0, [&] { ++runs; });
  });
  std::vector<int> fired;
  fire(wheel, 5, fired);
  EXPECT_EQ(runs, 1);
  fire(wheel, 6, fired);
  EXPECT_EQ(runs, 2);
}

TEST(TimerWheel, agrees_with_a_sorted_map_over_random_histories) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; ++round) {
    TimerWheel wheel;
    std::multimap<Tick, int> model;
    std::map<int, base::TimerId> ids;
    std::vector<int> fired;
    Tick now = 0;
    for (int step = 0; step < 2000; ++step) {
      if (random() % 3 != 0) {
        const Tick due = now + 1 + random() % (1ull << (random() % 26));
        ids[step] = wheel.set(due, [&fired, step] { fired.push_back(step); });
        model.emplace(due, step);
      } else if (!model.empty() && random() % 2 == 0) {
        auto it = model.begin();
        std::advance(it, random() % model.size());
        EXPECT_TRUE(wheel.cancel(ids[it->second]));
        model.erase(it);
      } else {
        now += random() % (1ull << (random() % 20));
        std::vector<int> expected;
        while (!model.empty() && model.begin()->first <= now) {
          expected.push_back(model.begin()->second);
          model.erase(model.begin());
        }
        ASSERT_EQ(fire(wheel, now, fired), expected);
      }
      ASSERT_EQ(wheel.size(), model.size());
      if (!model.empty()) ASSERT_LE(*wheel.next(), model.begin()->first);
    }
    EXPECT_EQ(wheel.clear().size(), model.size());
    EXPECT_TRUE(wheel.empty());
  }
}

}  // namespace
}  // namespace tidings::net
