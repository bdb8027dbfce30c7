// How often something may happen. A bucket is one moment, that at which it will be full again: no timer, and
// no bucket at all while it is full.
#pragma once

#include <algorithm>
#include <cstddef>
#include <list>
#include <unordered_map>

#include "base/metrics.h"
#include "base/rate.h"

namespace tidings::base {

// What a bucket said. `wait`: after this it would say yes; zero if it did.
struct Drawn {
  bool taken = true;
  nanoseconds wait{};
  size_t left = 0;
  nanoseconds full_in{};
};

// Not more than a burst is drawn at once: what costs more costs a full bucket. What is refused costs nothing.
class TokenBucket {
 public:
  Drawn draw(const Rate& rate, MonotonicTime now, size_t cost = 1) {
    Drawn drawn = look(rate, now, cost);
    if (drawn.taken && rate.limited()) full_at_ = now + drawn.full_in;
    return drawn;
  }
  // What draw() would say.
  Drawn look(const Rate& rate, MonotonicTime now, size_t cost = 1) const {
    if (!rate.limited()) return {};
    const auto price = rate.each() * static_cast<int64_t>(std::min(cost, rate.burst));
    const auto missing = is_full(now) ? nanoseconds(0) : full_at_ - now;
    const auto over = missing + price - rate.fill_time();
    if (over > nanoseconds(0)) return {false, over, left(rate, missing), missing};
    return {true, nanoseconds(0), left(rate, missing + price), missing + price};
  }
  bool is_full(MonotonicTime now) const { return full_at_ <= now; }

 private:
  static size_t left(const Rate& rate, nanoseconds missing) {
    return static_cast<size_t>(std::max(nanoseconds(0), rate.fill_time() - missing) / rate.each());
  }
  MonotonicTime full_at_ = MonotonicTime::min();
};

// A bucket for each key, in one thread. At most `max` of them: beyond it the one that was not used for
// longest is forgotten, that is, full. So nobody is locked out by a crowd, and who has more keys than that
// has more.
template <class Key>
class TokenBuckets {
 public:
  // The gauge counts the buckets of all tables that share it.
  TokenBuckets(const Rate& rate, size_t max, Gauge& gauge) : rate_(rate), max_(max), gauge_(gauge) {}
  ~TokenBuckets() { gauge_.add(-static_cast<int64_t>(rows_.size())); }
  TokenBuckets(const TokenBuckets&) = delete;

  Drawn draw(const Key& key, MonotonicTime now, size_t cost = 1) {
    if (!rate_.limited()) return {};
    settle(now);
    const auto found = by_key_.find(key);
    if (found != by_key_.end()) {
      rows_.splice(rows_.end(), rows_, found->second);
      return found->second->bucket.draw(rate_, now, cost);
    }
    if (rows_.size() >= max_) forget_first();
    rows_.push_back({key, {}});
    by_key_.emplace(key, std::prev(rows_.end()));
    gauge_.add(1);
    return rows_.back().bucket.draw(rate_, now, cost);
  }
  // What draw() would say.
  Drawn look(const Key& key, MonotonicTime now, size_t cost = 1) const {
    const auto found = by_key_.find(key);
    return (found == by_key_.end() ? TokenBucket() : found->second->bucket).look(rate_, now, cost);
  }
  // Forgets some that are full. Every draw does it; call it now and then for those that come after the last.
  void settle(MonotonicTime now, size_t most = 2) {
    for (; most > 0 && !rows_.empty() && rows_.front().bucket.is_full(now); --most) forget_first();
  }
  const Rate& rate() const { return rate_; }
  size_t size() const { return rows_.size(); }

 private:
  struct Row {
    Key key;
    TokenBucket bucket;
  };
  void forget_first() {
    by_key_.erase(rows_.front().key);
    rows_.pop_front();
    gauge_.add(-1);
  }

  const Rate rate_;
  const size_t max_;
  Gauge& gauge_;
  std::list<Row> rows_;  // used last at the end
  std::unordered_map<Key, typename std::list<Row>::iterator> by_key_;
};

}  // namespace tidings::base
