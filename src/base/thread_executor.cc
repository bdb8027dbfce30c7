#include "base/thread_executor.h"

#include <pthread.h>

namespace tidings::base {

ThreadExecutor::ThreadExecutor(std::string name, int threads) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this, name] {
      pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
      run();
    });
  }
}

ThreadExecutor::~ThreadExecutor() {
  stop();
}

void ThreadExecutor::post(Task task) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

TimerId ThreadExecutor::after(nanoseconds delay, Task task) {
  TimerId id;
  {
    MutexLock lock(mutex_);
    if (stopping_) return 0;
    id = ++last_timer_;
    timers_.emplace(std::chrono::steady_clock::now() + delay, std::pair(id, std::move(task)));
  }
  wake_.notify_one();
  return id;
}

void ThreadExecutor::cancel(TimerId timer) {
  Task dropped;  // destroyed after the lock is given back: its captures may post
  MutexLock lock(mutex_);
  for (auto it = timers_.begin(); it != timers_.end(); ++it) {
    if (it->second.first != timer) continue;
    dropped = std::move(it->second.second);
    timers_.erase(it);
    return;
  }
}

void ThreadExecutor::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

size_t ThreadExecutor::queued() const {
  MutexLock lock(mutex_);
  return tasks_.size();
}

void ThreadExecutor::run() TIDINGS_NO_THREAD_SAFETY_ANALYSIS {
  std::unique_lock<Mutex> lock(mutex_);
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now && !stopping_) {
      tasks_.push_back(std::move(timers_.begin()->second.second));
      timers_.erase(timers_.begin());
    }
    if (!tasks_.empty()) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    } else if (stopping_) {
      return;
    } else if (timers_.empty()) {
      wake_.wait(lock);
    } else {
      wake_.wait_until(lock, timers_.begin()->first);
    }
  }
}

}  // namespace tidings::base
