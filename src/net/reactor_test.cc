#include "net/reactor.h"

#include <thread>

#include <gtest/gtest.h>

#include "net/raw_peer.h"

namespace tidings::net {
namespace {

using std::chrono::milliseconds;

TEST(Reactor, tasks_of_each_thread_run_in_the_order_in_which_they_were_posted) {
  Reactor reactor("test");
  reactor.start();
  std::vector<std::vector<int>> seen(4);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < seen.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) reactor.post([&seen, t, i] { seen[t].push_back(i); });
    });
  }
  for (auto& thread : threads) thread.join();
  run_on(reactor, [] {});
  for (const auto& one : seen) {
    ASSERT_EQ(one.size(), 5000u);
    EXPECT_TRUE(std::is_sorted(one.begin(), one.end()));
  }
}

TEST(Reactor, post_from_its_own_thread_does_not_run_inside_the_call) {
  Reactor reactor("test");
  reactor.start();
  bool inside = false;
  bool ran_inside = false;
  std::promise<void> ran;
  run_on(reactor, [&] {
    inside = true;
    reactor.post([&] {
      ran_inside = inside;
      ran.set_value();
    });
    inside = false;
  });
  ran.get_future().wait();
  EXPECT_FALSE(ran_inside);
}

TEST(Reactor, timers_are_never_early_and_fire_in_due_order) {
  Reactor reactor("test");
  std::vector<int> fired;
  const auto begin = std::chrono::steady_clock::now();
  std::promise<void> done;
  for (const int delay : {80, 20, 60, 0, 40}) {  // set before start(), on the thread that builds
    reactor.after(milliseconds(delay), [&, delay] {
      EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(delay));
      fired.push_back(delay);
      if (delay == 80) done.set_value();
    });
  }
  reactor.start();
  done.get_future().wait();
  EXPECT_EQ(fired, (std::vector{0, 20, 40, 60, 80}));
}

TEST(Reactor, a_cancelled_timer_never_fires_and_its_task_is_destroyed_at_once) {
  Reactor reactor("test");
  reactor.start();
  auto owned = std::make_shared<int>(1);
  bool fired = false;
  run_on(reactor, [&] {
    const auto timer = reactor.after(milliseconds(1), [&fired, owned] { fired = true; });
    reactor.cancel(timer);
    reactor.cancel(timer);
    reactor.cancel(0);
  });
  EXPECT_EQ(owned.use_count(), 1);
  std::promise<void> later;
  run_on(reactor, [&] { reactor.after(milliseconds(20), [&] { later.set_value(); }); });
  later.get_future().wait();
  EXPECT_FALSE(fired);
}

TEST(Reactor, a_shorter_timer_set_later_fires_first) {
  Reactor reactor("test");
  reactor.start();
  std::promise<void> shorter;
  run_on(reactor, [&] {
    reactor.after(std::chrono::hours(1), [] { ADD_FAILURE(); });
    reactor.after(milliseconds(10), [&] { shorter.set_value(); });
  });
  EXPECT_EQ(shorter.get_future().wait_for(patience), std::future_status::ready);
}

TEST(Reactor, stop_runs_what_was_posted_and_destroys_the_rest_unrun) {
  auto owned = std::make_shared<int>(1);
  int runs = 0;
  Reactor reactor("test");
  reactor.start();
  for (int i = 0; i < 100; ++i) reactor.post([&runs, owned] { ++runs; });
  reactor.post(
      [&reactor, owned, &runs] { reactor.after(std::chrono::hours(1), [owned, &runs] { runs = -1; }); });
  reactor.stop();
  reactor.stop();
  EXPECT_EQ(runs, 100);
  reactor.post([owned, &runs] { runs = -1; });
  EXPECT_EQ(runs, 100);
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(Reactor, one_that_never_started_destroys_its_tasks) {
  auto owned = std::make_shared<int>(1);
  {
    Reactor reactor("test");
    reactor.post([owned] { ADD_FAILURE(); });
    reactor.after(milliseconds(0), [owned] { ADD_FAILURE(); });
  }
  EXPECT_EQ(owned.use_count(), 1);
}

}  // namespace
}  // namespace tidings::net
