// The one writer of the store: takes the flushes of all shards, adds the stream's low, commits them one after
// another on an executor that may block, and syncs now and then (protocol.md §3).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "ports/clock.h"
#include "ports/store.h"

namespace tidings::delivery {

class StoreWriter {
 public:
  struct Parts {
    base::Executor& executor;  // one thread, may block
    ports::Store& store;
    ports::Clock& clock;
    const base::Limits& limits;
    base::Registry& metrics;
    size_t shard_count = 1;
    model::Position low;                     // as stored: no shard has written below it
    std::function<void(std::string)> fatal;  // the store failed: nothing may be acknowledged any more
    // Told on `executor` that the store surely keeps this low or a higher one. May be empty.
    std::function<void(model::Position)> synced = {};
  };
  explicit StoreWriter(Parts parts);

  // Commits `batch` of a shard; with it, all of the shard's records below `low` are written. `done` runs on
  // `on` after the commit, and never if it fails. An empty batch only notes the low. Thread: any.
  void submit(size_t shard, ports::StoreBatch batch, model::Position low, base::Executor& on,
              base::Task done);
  // Syncs the store, then runs `done` on `on`. Thread: any.
  void sync(base::Executor& on, base::Task done);

 private:
  void commit(size_t shard, ports::StoreBatch batch, model::Position low, base::Executor& on,
              base::Task done);
  bool sync_now();
  // What of the feed is too old or too much goes with this batch.
  void trim_feed(ports::StoreBatch& batch);

  Parts parts_;
  // Below: the store executor's.
  std::vector<model::Position> lows_;
  model::Position written_low_;
  base::MonotonicTime synced_{};
  base::MonotonicTime feed_looked_at_{};
  bool failed_ = false;
  base::Counter& commits_;
};

}  // namespace tidings::delivery
