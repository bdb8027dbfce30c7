// Sessions that ended as replaced while they were on a long-poll: no connection could tell their clients, so
// their next call is told. Bounded: Limits::polls_replaced_max of them, each for Limits::resume_timeout.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>

#include "base/limits.h"
#include "base/metrics.h"
#include "model/ids.h"

namespace tidings::gateway {

class Replaced {
 public:
  Replaced(const base::Limits& limits, base::Gauge& gauge) : limits_(limits), gauge_(gauge) {}
  ~Replaced() { gauge_.add(-static_cast<int64_t>(devices_.size())); }

  // Each session at most once.
  void add(uint64_t session, model::DeviceId device, base::MonotonicTime now) {
    if (!devices_.emplace(session, device).second) return;
    in_order_.push_back({now, session});
    gauge_.add(1);
    if (devices_.size() > limits_.polls_replaced_max) forget_oldest();
  }
  bool has(uint64_t session, model::DeviceId device) const {
    const auto found = devices_.find(session);
    return found != devices_.end() && found->second == device;
  }
  // Forgets those whose time is over.
  void settle(base::MonotonicTime now) {
    while (!in_order_.empty() && now - in_order_.front().at >= limits_.resume_timeout) forget_oldest();
  }

 private:
  struct Ended {
    base::MonotonicTime at;
    uint64_t session;
  };
  void forget_oldest() {
    devices_.erase(in_order_.front().session);
    in_order_.pop_front();
    gauge_.add(-1);
  }

  const base::Limits& limits_;
  base::Gauge& gauge_;
  std::unordered_map<uint64_t, model::DeviceId> devices_;
  std::deque<Ended> in_order_;
};

}  // namespace tidings::gateway
