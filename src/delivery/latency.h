// How long commands take from this shard into the log and back.
#pragma once

#include <deque>

#include "base/metrics.h"
#include "model/record.h"
#include "ports/clock.h"

namespace tidings::delivery {

// What one shard appends comes back in that order, so a row of them is enough.
class Latency {
 public:
  Latency(const ports::Clock& clock, base::Registry& metrics)
      : clock_(clock),
        send_to_durable_(metrics.histogram("tidings_delivery_send_to_durable_seconds",
                                           "From a command being handed to the log to its record being back "
                                           "durable.")) {}

  void appended(const model::ReplyTo& reply_to) {
    if (under_way_.size() >= under_way_max) under_way_.clear();
    under_way_.push_back({reply_to.gateway, reply_to.request, clock_.monotonic()});
  }
  // A command came back at `now`, which is told again if it is one of this run.
  base::MonotonicTime durable(const model::ReplyTo& reply_to, base::MonotonicTime now) {
    if (under_way_.empty()) return {};
    const auto& first = under_way_.front();
    if (first.gateway != reply_to.gateway || first.request != reply_to.request) return {};
    send_to_durable_.observe(now - first.at);
    under_way_.pop_front();
    return now;
  }
  base::MonotonicTime now() const { return clock_.monotonic(); }

 private:
  // More than the log's queue takes in practice; whatever is forgotten is not measured.
  static constexpr size_t under_way_max = 65'536;
  struct UnderWay {
    uint64_t gateway, request;
    base::MonotonicTime at;
  };
  const ports::Clock& clock_;
  std::deque<UnderWay> under_way_;
  base::Histogram& send_to_durable_;
};

}  // namespace tidings::delivery
