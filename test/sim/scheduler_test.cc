#include "test/sim/scheduler.h"

#include <gtest/gtest.h>

#include "test/sim/machine.h"

namespace tidings::sim {
namespace {

using base::milliseconds;
using base::seconds;

TEST(scheduler, tasks_of_one_poster_keep_their_order) {
  Scheduler scheduler(1);
  auto& process = scheduler.make_process("p");
  auto& a = process.make_executor();
  auto& b = process.make_executor();
  std::vector<int> ran;
  a.post([&] {
    for (int i = 0; i < 500; ++i) b.post([&ran, i] { ran.push_back(i); });
  });
  scheduler.run_for(seconds(10));
  ASSERT_EQ(ran.size(), 500u);
  EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
}

TEST(scheduler, a_busy_executor_makes_later_tasks_wait_and_what_it_posts_comes_after_its_own_time) {
  Scheduler scheduler(2);
  auto& process = scheduler.make_process("p");
  auto& disk = process.make_executor();
  auto& shard = process.make_executor();
  MonotonicTime posted, second;
  disk.post([&] {
    scheduler.consume(milliseconds(100));
    shard.post([&] { posted = scheduler.now(); });
  });
  disk.post([&] { second = scheduler.now(); });
  scheduler.run_for(seconds(1));
  EXPECT_GE(posted.time_since_epoch(), milliseconds(100));
  EXPECT_GE(second.time_since_epoch(), milliseconds(100));
}

TEST(scheduler, a_pool_runs_as_many_at_a_time_as_it_has_workers) {
  Scheduler scheduler(3);
  auto& pool = scheduler.make_process("p").make_executor(3);
  std::vector<MonotonicTime> started;
  for (int i = 0; i < 6; ++i) {
    pool.post([&] {
      started.push_back(scheduler.now());
      scheduler.consume(seconds(1));
    });
  }
  scheduler.run_for(seconds(5));
  ASSERT_EQ(started.size(), 6u);
  EXPECT_LT(started[2].time_since_epoch(), seconds(1));
  EXPECT_GE(started[3].time_since_epoch(), seconds(1));
  EXPECT_LT(started[5].time_since_epoch(), seconds(3));
}

TEST(scheduler, a_cancelled_timer_never_runs) {
  Scheduler scheduler(4);
  auto& executor = scheduler.make_process("p").make_executor();
  bool ran = false, other = false;
  const auto timer = executor.after(seconds(1), [&] { ran = true; });
  executor.after(seconds(1), [&] { other = true; });
  executor.cancel(timer);
  executor.cancel(timer);
  scheduler.run_for(milliseconds(999));
  EXPECT_FALSE(other);
  scheduler.run_for(milliseconds(20));
  EXPECT_FALSE(ran);
  EXPECT_TRUE(other);
}

TEST(scheduler, the_others_go_on_while_a_task_waits_and_a_process_that_is_killed_then_is_unwound) {
  Scheduler scheduler(8);
  auto& process = scheduler.make_process("p");
  auto& disk = process.make_executor();
  auto& shard = process.make_executor();
  std::vector<std::string> did;
  disk.post([&] {
    shard.post([&] { did.push_back("shard"); });
    scheduler.consume(seconds(1));
    did.push_back("waited");
    scheduler.consume(seconds(1));
    did.push_back("never");
  });
  scheduler.after(milliseconds(1500), [&] {
    process.kill();
    process.when_unwound([&] { did.push_back("unwound"); });
    did.push_back("killed");
  });
  scheduler.run_for(seconds(5));
  EXPECT_EQ(did, (std::vector<std::string>{"shard", "waited", "killed", "unwound"}));
}

TEST(scheduler, a_crash_at_a_step_ends_the_task_there_and_drops_what_waits) {
  for (uint64_t k = 1; k <= 4; ++k) {
    Scheduler scheduler(5);
    auto& process = scheduler.make_process("p");
    auto& executor = process.make_executor();
    std::vector<int> did;
    bool told = false;
    process.on_crash([&] { told = true; });
    process.crash_in(k);
    for (int task = 0; task < 2; ++task) {
      executor.post([&, task] {
        did.push_back(task * 10);
        process.step();
        did.push_back(task * 10 + 1);
      });
    }
    scheduler.run_for(seconds(1));
    EXPECT_TRUE(told);
    EXPECT_FALSE(process.alive());
    EXPECT_EQ(did.size(), k - 1) << "step " << k;
    executor.post([&] { did.push_back(99); });
    scheduler.run_for(seconds(1));
    EXPECT_EQ(did.size(), k - 1);
  }
}

TEST(scheduler, equal_seeds_run_equally_and_others_do_not) {
  const auto run = [](uint64_t seed) {
    Scheduler scheduler(seed);
    auto& process = scheduler.make_process("p");
    auto& a = process.make_executor();
    auto& b = process.make_executor();
    std::vector<int64_t> ran;
    for (int i = 0; i < 100; ++i) {
      (i % 2 ? a : b).post([&, i] { ran.push_back(scheduler.now().time_since_epoch().count() * 100 + i); });
    }
    scheduler.run_for(seconds(1));
    return ran;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST(sim_clock, bends_the_wall_but_never_the_monotonic_clock) {
  Scheduler scheduler(6);
  SimClock clock(scheduler, base::epoch);
  scheduler.run_for(seconds(5));
  EXPECT_EQ(clock.wall(), base::epoch + seconds(5));
  clock.jump(std::chrono::hours(-1));
  EXPECT_EQ(clock.wall(), base::epoch + seconds(5) - std::chrono::hours(1));
  clock.freeze();
  scheduler.run_for(seconds(5));
  EXPECT_EQ(clock.wall(), base::epoch + seconds(5) - std::chrono::hours(1));
  EXPECT_EQ(clock.monotonic().time_since_epoch(), seconds(10));
  clock.repair();
  EXPECT_EQ(clock.wall(), base::epoch + seconds(10));
}

// What is cancelled, or was a dead process's, is no reason to go further than one was asked to.
TEST(scheduler, time_does_not_run_past_the_end_behind_what_is_cancelled) {
  Scheduler scheduler(1);
  auto& executor = scheduler.make_process("p").make_executor();
  bool ran = false;
  const auto timer = executor.after(seconds(1), [] {});
  executor.after(seconds(10), [&] { ran = true; });
  executor.cancel(timer);
  scheduler.run_for(seconds(2));
  EXPECT_FALSE(ran);
  EXPECT_EQ(scheduler.now(), MonotonicTime(seconds(2)));
}

}  // namespace
}  // namespace tidings::sim
