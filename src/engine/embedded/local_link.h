// The Link inside one process: frames are moved from the gateway's executor to the core shard's and back, in
// batches of one loop turn. Bounded: Limits::link_queue_bytes_max down, the same up.
#pragma once

#include <memory>

#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "ports/link.h"

namespace tidings::embedded {

// One gateway shard and one core shard, linked. Both ends and executors outlive it, or are stopped before it
// goes; what is under way when it goes is dropped.
//
// Beyond the bound Up refuses. Down drops frames until its next turn; the number of the lost batch is
// skipped, so that `previous` of the next one shows the gap, and if no frame follows an empty batch shows it.
class LocalLink {
 public:
  struct Parts {
    base::Executor& gateway_executor;
    ports::GatewayShard& gateway;
    uint64_t gateway_id = 0;
    base::Executor& core_executor;
    ports::CoreShard& core;
    size_t core_index = 0;
    const base::Limits& limits;
    // What is under way in each direction; may be null.
    base::Gauge* up_bytes = nullptr;
    base::Gauge* down_bytes = nullptr;
  };
  explicit LocalLink(Parts parts);
  ~LocalLink();
  LocalLink(const LocalLink&) = delete;

  ports::LinkToCore& to_core();
  // Announces the link to the core shard (on its executor). Call once, before frames are sent.
  void open();

 private:
  class Down;
  class Up;
  // Shared with the tasks under way, which may outlive the link.
  std::shared_ptr<Up> up_;
  std::shared_ptr<Down> down_;
};

}  // namespace tidings::embedded
