#include "base/metrics.h"

namespace tidings::base {

Counter& Registry::counter(const std::string& name) {
  MutexLock lock(mutex_);
  return counters_[name];
}

Gauge& Registry::gauge(const std::string& name) {
  MutexLock lock(mutex_);
  return gauges_[name];
}

std::map<std::string, int64_t> Registry::values() const {
  MutexLock lock(mutex_);
  std::map<std::string, int64_t> out;
  for (const auto& [name, counter] : counters_) out[name] = static_cast<int64_t>(counter.value());
  for (const auto& [name, gauge] : gauges_) out[name] = gauge.value();
  return out;
}

}  // namespace tidings::base
