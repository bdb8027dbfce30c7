// An executor that a test turns by hand, on the test's thread. Timers stand still.
#pragma once

#include <deque>

#include "base/executor.h"

namespace tidings::contract {

class HandExecutor : public base::Executor {
 public:
  void post(base::Task task) override { tasks_.push_back(std::move(task)); }
  base::TimerId after(base::nanoseconds, base::Task) override { return 0; }
  void cancel(base::TimerId) override {}

  // Runs until the queue is empty; how many tasks ran.
  size_t run() {
    size_t ran = 0;
    for (; !tasks_.empty(); ++ran) {
      base::Task task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
    return ran;
  }

 private:
  std::deque<base::Task> tasks_;
};

}  // namespace tidings::contract
