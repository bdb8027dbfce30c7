// What contract suites put in place of the world: an executor that a test turns by hand, a clock that it
// moves, seeded randomness, a directory that goes away.
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>

#include <stdlib.h>

#include "base/executor.h"
#include "base/mutex.h"
#include "ports/clock.h"
#include "ports/random.h"

namespace tidings::contract {

// Runs tasks when it is told to, and timers, too.
class HandExecutor : public base::Executor {
 public:
  void post(base::Task task) override {
    base::MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  base::TimerId after(base::nanoseconds, base::Task task) override {
    timers_.emplace(++last_timer_, std::move(task));
    return last_timer_;
  }
  void cancel(base::TimerId timer) override { timers_.erase(timer); }

  // The oldest task, if there is one.
  bool run_one() {
    base::Task task;
    {
      base::MutexLock lock(mutex_);
      if (tasks_.empty()) return false;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
    return true;
  }
  void run_all() {
    while (run_one()) {
    }
  }
  // All timers that are set now, however long they had to wait.
  void run_timers() {
    for (auto& [id, task] : std::exchange(timers_, {})) task();
  }

 private:
  base::Mutex mutex_;
  std::deque<base::Task> tasks_ TIDINGS_GUARDED_BY(mutex_);
  std::map<base::TimerId, base::Task> timers_;
  base::TimerId last_timer_ = 0;
};

// Stands still until it is moved. Not for several threads at once.
class FakeClock : public ports::Clock {
 public:
  base::WallTime wall() const override { return wall_now; }
  base::MonotonicTime monotonic() const override { return monotonic_now; }
  void pass(base::nanoseconds time) {
    monotonic_now += time;
    wall_now += std::chrono::duration_cast<base::milliseconds>(time);
  }

  base::WallTime wall_now = base::wall_from_ms(1'790'000'000'000);
  base::MonotonicTime monotonic_now{base::seconds(1000)};
};

// The same bytes for the same seed.
class SeededRandom : public ports::Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  void fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) {
      // splitmix64 (Steele, Lea, Flood 2014)
      uint64_t n = state_ += 0x9E3779B97F4A7C15ull;
      n = (n ^ n >> 30) * 0xBF58476D1CE4E5B9ull;
      n = (n ^ n >> 27) * 0x94D049BB133111EBull;
      byte = static_cast<uint8_t>((n ^ n >> 31) >> 56);
    }
  }

 private:
  uint64_t state_;
};

// A new directory that is removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidings-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tidings::contract
