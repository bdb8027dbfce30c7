// What every Executor must do. An implementation takes part by a fixture:
//   struct Fixture {
//     tidings::base::Executor& executor();                  // runs tasks one after another
//     tidings::base::MonotonicTime now();                   // the time that its timers follow, real or
//     virtual bool run_until(const std::function<bool()>& done);    // lets it run until done() or no more
//     hope; returns done().
//                                                           // done() is called on any thread, while no task
//                                                           runs or
//                                                           // beside one: the suite reads atomics in it
//     void end();                                           // the executor is destroyed; its queue is not
//     run static constexpr bool takes_posts_from_any_thread;    // false: on virtual time there is one thread
//   };
// and INSTANTIATE_TYPED_TEST_SUITE_P(Name, ExecutorContract, Fixture).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/executor.h"

namespace tidings::contract {

template <class Fixture>
class ExecutorContract : public testing::Test {
 protected:
  base::Executor& executor() { return fixture.executor(); }
  void run_until(const std::function<bool()>& done) { ASSERT_TRUE(fixture.run_until(done)); }
  // Timers are set and cancelled on the executor's own thread.
  void run_there(std::function<void()> call) {
    std::atomic<bool> ran = false;
    executor().post([&, call = std::move(call)] {
      call();
      ran = true;
    });
    run_until([&] { return ran.load(); });
  }
  Fixture fixture;
};

// Tells when it was destroyed: a callable's captured state.
class Tracked {
 public:
  explicit Tracked(std::atomic<int>& alive) : alive_(&alive) { ++*alive_; }
  Tracked(Tracked&& other) noexcept : alive_(std::exchange(other.alive_, nullptr)) {}
  ~Tracked() {
    if (alive_) --*alive_;
  }

 private:
  std::atomic<int>* alive_;
};

TYPED_TEST_SUITE_P(ExecutorContract);

TYPED_TEST_P(ExecutorContract, TasksRunInTheOrderOfTheirPosting) {
  std::vector<int> ran;
  std::atomic<int> count = 0;
  for (int i = 0; i < 1000; ++i) {
    this->executor().post([&, i] {
      ran.push_back(i);
      ++count;
    });
  }
  this->run_until([&] { return count == 1000; });
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(ran[static_cast<size_t>(i)], i);
}

TYPED_TEST_P(ExecutorContract, EachThreadsTasksKeepTheirOrder) {
  if constexpr (TypeParam::takes_posts_from_any_thread) {
    constexpr int threads = 4, each = 500;
    std::vector<int> last(threads, -1);
    std::atomic<int> count = 0, out_of_order = 0;
    std::vector<std::thread> posters;
    for (int t = 0; t < threads; ++t) {
      posters.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          this->executor().post([&, t, i] {
            if (std::exchange(last[static_cast<size_t>(t)], i) != i - 1) ++out_of_order;
            ++count;
          });
        }
      });
    }
    for (auto& poster : posters) poster.join();
    this->run_until([&] { return count == threads * each; });
    EXPECT_EQ(out_of_order, 0);
  }
}

TYPED_TEST_P(ExecutorContract, ATaskNeverRunsInsideThePost) {
  std::atomic<bool> done = false;
  bool inside = true;
  this->executor().post([&] {
    bool ran = false;
    auto shared = std::make_shared<bool*>(&ran);
    this->executor().post([&done, shared] {
      if (*shared) **shared = true;
      done = true;
    });
    inside = ran;
    *shared = nullptr;
  });
  this->run_until([&] { return done.load(); });
  EXPECT_FALSE(inside);
}

TYPED_TEST_P(ExecutorContract, TimersAreNeverEarlyAndFireInTheOrderOfTheirTimes) {
  using std::chrono::milliseconds;
  std::vector<int> fired;
  std::atomic<int> count = 0, early = 0;
  this->run_there([&] {
    for (const int delay_ms : {60, 0, 30}) {
      const auto due = this->fixture.now() + milliseconds(delay_ms);
      this->executor().after(milliseconds(delay_ms), [&, delay_ms, due] {
        if (this->fixture.now() < due) ++early;
        fired.push_back(delay_ms);
        ++count;
      });
    }
  });
  this->run_until([&] { return count == 3; });
  EXPECT_EQ(early, 0);
  EXPECT_EQ(fired, (std::vector{0, 30, 60}));
}

TYPED_TEST_P(ExecutorContract, ACancelledTimerNeverRunsAndLetsGoAtOnce) {
  using std::chrono::milliseconds;
  std::atomic<int> alive = 0, wrong = 0, count = 0;
  this->run_there([&] {
    auto& executor = this->executor();
    const auto timer = executor.after(milliseconds(5), [&, held = Tracked(alive)] { ++wrong; });
    EXPECT_NE(timer, 0u);
    EXPECT_EQ(alive, 1);
    executor.cancel(timer);
    EXPECT_EQ(alive, 0);
    executor.cancel(timer);
    executor.cancel(0);
    executor.cancel(timer + 1000);
    executor.after(milliseconds(30), [&] { ++count; });
  });
  this->run_until([&] { return count == 1; });
  EXPECT_EQ(wrong, 0);
}

TYPED_TEST_P(ExecutorContract, ATimerMayCancelItselfAndOthersAndSetNewOnes) {
  using std::chrono::milliseconds;
  std::atomic<int> wrong = 0, count = 0;
  base::TimerId first = 0, second = 0;
  this->run_there([&] {
    first = this->executor().after(milliseconds(1), [&] {
      this->executor().cancel(first);
      this->executor().cancel(second);
      this->executor().after(milliseconds(1), [&] { ++count; });
    });
    second = this->executor().after(milliseconds(300), [&] { ++wrong; });
  });
  this->run_until([&] { return count == 1; });
  EXPECT_EQ(wrong, 0);
}

TYPED_TEST_P(ExecutorContract, WhatATaskHoldsIsDestroyedAfterItRan) {
  std::atomic<int> alive = 0, ran = 0;
  this->executor().post([&, held = Tracked(alive)] { ++ran; });
  this->run_until([&] { return ran == 1 && alive == 0; });
}

TYPED_TEST_P(ExecutorContract, WhatTheQueueHoldsIsDestroyedWithTheExecutor) {
  std::atomic<int> alive = 0;
  this->run_there([&] {
    this->executor().after(std::chrono::hours(1), [held = Tracked(alive)] { FAIL() << "an hour early"; });
  });
  for (int i = 0; i < 10; ++i) this->executor().post([held = Tracked(alive)] {});
  this->fixture.end();
  EXPECT_EQ(alive, 0);
}

REGISTER_TYPED_TEST_SUITE_P(ExecutorContract, TasksRunInTheOrderOfTheirPosting,
                            EachThreadsTasksKeepTheirOrder, ATaskNeverRunsInsideThePost,
                            TimersAreNeverEarlyAndFireInTheOrderOfTheirTimes,
                            ACancelledTimerNeverRunsAndLetsGoAtOnce,
                            ATimerMayCancelItselfAndOthersAndSetNewOnes, WhatATaskHoldsIsDestroyedAfterItRan,
                            WhatTheQueueHoldsIsDestroyedWithTheExecutor);

}  // namespace tidings::contract
