// Counters, gauges and histograms with names, and the text of them for Prometheus. A folder declares the ones
// it keeps, with what they mean, in its own metrics.h or where they are counted; server/ owns the Registry.
// docs/operating.md lists them; a test keeps it true.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/time.h"

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

// What one of several adds to a gauge that they share. Gives it back when it goes. Thread: one.
class GaugePart {
 public:
  explicit GaugePart(Gauge& gauge) : gauge_(gauge) {}
  ~GaugePart() { set(0); }
  GaugePart(const GaugePart&) = delete;
  void set(size_t n) {
    if (n == part_) return;
    gauge_.add(static_cast<int64_t>(n) - static_cast<int64_t>(part_));
    part_ = n;
  }
  // A size_t that counts itself.
  operator size_t() const { return part_; }
  void operator++() { set(part_ + 1); }
  void operator--() { set(part_ - 1); }

 private:
  Gauge& gauge_;
  size_t part_ = 0;
};

// How long something took, in buckets that are the same for all: two for each doubling from 16 µs to 16.8 s.
// Thread: any.
class Histogram {
 public:
  static constexpr size_t bucket_count = 42;  // the last one has no upper bound
  void observe(nanoseconds took) {
    const auto ns = took.count() > 0 ? static_cast<uint64_t>(took.count()) : 0;
    buckets_[bucket_of(ns)].fetch_add(1, std::memory_order_relaxed);
    sum_ns_.fetch_add(ns, std::memory_order_relaxed);
  }
  uint64_t count() const;
  nanoseconds sum() const {
    return nanoseconds(static_cast<int64_t>(sum_ns_.load(std::memory_order_relaxed)));
  }
  uint64_t in_bucket(size_t bucket) const { return buckets_[bucket].load(std::memory_order_relaxed); }
  // The largest that counts into the bucket, in µs: 16, 24, 32, 48, 64 …
  static constexpr uint64_t upper_us(size_t bucket) {
    const uint64_t whole = uint64_t{16} << (bucket / 2);
    return bucket % 2 == 0 ? whole : whole + whole / 2;
  }
  static constexpr size_t bucket_of(uint64_t ns) {
    const uint64_t us = ns / 1000 + (ns % 1000 != 0);
    if (us <= 16) return 0;
    // us - 1 in [16·2^k, 24·2^k) belongs to 24·2^k, in [24·2^k, 32·2^k) to 32·2^k.
    const auto width = static_cast<size_t>(std::bit_width(us - 1));
    const size_t bucket = 2 * (width - 5) + 1 + (((us - 1) >> (width - 2)) & 1);
    return bucket < bucket_count ? bucket : bucket_count - 1;
  }

 private:
  std::array<std::atomic<uint64_t>, bucket_count> buckets_{};
  std::atomic<uint64_t> sum_ns_{0};
};

// Owns every metric by name (Prometheus rules: tidings_<folder>_<what>_<unit>[_total], then maybe labels,
// {code="busy"}); references stay valid as long as the registry. Asking twice for a name gives the same
// object. `help` is one sentence; the first one of a family counts. Thread: any.
class Registry {
 public:
  Counter& counter(std::string_view name, std::string_view help = "");
  Gauge& gauge(std::string_view name, std::string_view help = "");
  Histogram& histogram(std::string_view name, std::string_view help = "");
  // Every metric with its value now, by name; of a histogram its count.
  std::map<std::string, int64_t> values() const;
  // Prometheus text format 0.0.4.
  std::string exposition() const;

 private:
  template <class Metric>
  struct Family {
    std::string help;
    std::map<std::string, Metric, std::less<>> members;  // by labels
  };
  template <class Metric>
  using Families = std::map<std::string, Family<Metric>, std::less<>>;
  template <class Metric>
  static Metric& get(Families<Metric>& families, std::string_view name, std::string_view help);

  mutable Mutex mutex_;
  Families<Counter> counters_ TIDINGS_GUARDED_BY(mutex_);
  Families<Gauge> gauges_ TIDINGS_GUARDED_BY(mutex_);
  Families<Histogram> histograms_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::base
