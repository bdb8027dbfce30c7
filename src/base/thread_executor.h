// Executors on plain threads, for work that blocks: the log thread, the store thread, the read pool, the
// workers.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"

namespace tidings::base {

// `threads` threads and one queue. With one thread tasks run one after another in post order; with more only
// their start keeps that order. Timers may be set and cancelled from any thread.
class ThreadExecutor : public Executor {
 public:
  explicit ThreadExecutor(std::string name, int threads = 1);
  ~ThreadExecutor() override;

  void post(Task task) override;
  TimerId after(nanoseconds delay, Task task) override;
  void cancel(TimerId timer) override;

  // Runs what is queued now, then ends the threads; timers that are not due are dropped. Idempotent.
  void stop();
  // Tasks that wait, a gauge.
  size_t queued() const;

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  void run();

  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<Task> tasks_ TIDINGS_GUARDED_BY(mutex_);
  std::multimap<SteadyTime, std::pair<TimerId, Task>> timers_ TIDINGS_GUARDED_BY(mutex_);
  TimerId last_timer_ TIDINGS_GUARDED_BY(mutex_) = 0;
  bool stopping_ TIDINGS_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace tidings::base
