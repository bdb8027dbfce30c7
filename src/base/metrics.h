// Counters and gauges with names. A folder declares the ones it keeps in its own metrics.h; server/ owns the
// Registry. (The exposition at /metrics comes with Connection; until then tests and the shutdown line read
// them.)
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>

#include "base/mutex.h"

namespace tidings::base {

// Goes up for ever. Thread: any.
class Counter {
 public:
  void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// What is there now: a queue's length, bytes held. Thread: any.
class Gauge {
 public:
  void set(int64_t n) { value_.store(n, std::memory_order_relaxed); }
  void add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Owns every metric by name (Prometheus rules: tidings_<folder>_<what>_<unit>[_total]); references stay valid
// as long as the registry. Asking twice for a name gives the same object. Thread: any.
class Registry {
 public:
  Counter& counter(const std::string& name);
  Gauge& gauge(const std::string& name);
  // Every metric with its value now, by name.
  std::map<std::string, int64_t> values() const;

 private:
  mutable Mutex mutex_;
  std::map<std::string, Counter> counters_ TIDINGS_GUARDED_BY(mutex_);
  std::map<std::string, Gauge> gauges_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::base
