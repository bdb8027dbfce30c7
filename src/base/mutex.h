// std::mutex that clang's thread-safety analysis understands (-Wthread-safety). Only engines and executors
// lock; the domain folders own their state on one shard and post to each other.
#pragma once

#include <condition_variable>
#include <mutex>

#define TIDINGS_CAPABILITY(x) __attribute__((capability(x)))
#define TIDINGS_SCOPED_CAPABILITY __attribute__((scoped_lockable))
#define TIDINGS_GUARDED_BY(x) __attribute__((guarded_by(x)))
#define TIDINGS_REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define TIDINGS_ACQUIRE(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define TIDINGS_RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))
#define TIDINGS_EXCLUDES(...) __attribute__((locks_excluded(__VA_ARGS__)))
#define TIDINGS_NO_THREAD_SAFETY_ANALYSIS __attribute__((no_thread_safety_analysis))

namespace tidings::base {

class TIDINGS_CAPABILITY("mutex") Mutex {
 public:
  void lock() TIDINGS_ACQUIRE() { mutex_.lock(); }
  void unlock() TIDINGS_RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class TIDINGS_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) TIDINGS_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() TIDINGS_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits on a Mutex that the caller holds.
using CondVar = std::condition_variable_any;

}  // namespace tidings::base
