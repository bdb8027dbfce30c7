// What events of this shard's conversations cause in others (protocol.md §3 "Effects"): an effect is a record
// of its own, appended as soon as its event is folded, and durable when the log gives it back. A checkpoint
// tells up to where all effects are durable; what a crash cut off there is found again in the feed.
//
// Why an effect arrives exactly once: it is appended in the order of its source, maybe more than once; the
// target remembers the newest source position that it took and ignores the rest.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "model/record.h"
#include "ports/log.h"
#include "ports/store.h"

namespace tidings::delivery {

class Effects {
 public:
  struct Parts {
    size_t index = 0, shard_count = 1;
    base::Executor& executor;
    ports::Log& log;
    ports::Store& store;
    const base::Limits& limits;
    base::Registry& metrics;
    // All effects of the partition are durable up to a later position than its checkpoint told.
    std::function<void(model::PartitionId)> durable;
  };
  explicit Effects(Parts parts);
  ~Effects();

  // Finds in the store what earlier runs left undone; go_on() appends it. Reads the store, so it blocks: any
  // thread, before everything else.
  base::Status start(const std::vector<ports::Checkpoint>& checkpoints, model::Position low);
  // Appends what start() found, and what the log refused before.
  void go_on() {
    if (!waiting_.empty() && retry_timer_ == 0) pump();
  }
  // An event was folded.
  void note(const model::Event& event, model::Position position);
  // The log gave an effect back that an event of this shard caused.
  void durable(const model::Effect& effect);
  // So much waits that nothing more should be folded.
  bool full() const {
    return in_flight_ + static_cast<int64_t>(waiting_.size()) >
           static_cast<int64_t>(parts_.limits.effects_in_flight_max);
  }
  // Up to where the effects of the partition are durable, if not up to its checkpoint `folded`.
  model::Position durable_upto(model::PartitionId partition, model::Position folded) const;

 private:
  struct Source {
    model::PartitionId partition;
    std::vector<model::ConversationId> targets;  // not durable yet
  };
  void add(const model::Event& event, model::Position position);
  base::Status add_from_feed(const ports::StoreBatch::FeedEntry& entry,
                             const std::vector<model::Position>& durable_upto);
  void pump();
  void retry_later();

  Parts parts_;
  std::map<model::Position, Source> sources_;   // events with effects that are not all durable
  std::map<uint16_t, size_t> busy_partitions_;  // partition → its sources
  std::deque<model::Effect> waiting_;           // for the log, in order
  // Appended and not durable. One that an earlier run had appended counts before ours is appended.
  int64_t in_flight_ = 0;
  base::TimerId retry_timer_ = 0;
  base::Gauge& gauge_;
  base::Counter& appended_;
};

}  // namespace tidings::delivery
