#include "delivery/store_writer.h"

#include <algorithm>

namespace tidings::delivery {

StoreWriter::StoreWriter(Parts parts)
    : parts_(std::move(parts)),
      lows_(parts_.shard_count, parts_.low),
      synced_(parts_.clock.monotonic()),
      commits_(parts_.metrics.counter("tidings_delivery_store_commits_total")) {}

void StoreWriter::submit(size_t shard, ports::StoreBatch batch, model::Position low, base::Executor& on,
                         base::Task done) {
  parts_.executor.post([this, shard, batch = std::move(batch), low, &on, done = std::move(done)]() mutable {
    commit(shard, std::move(batch), low, on, std::move(done));
  });
}

void StoreWriter::commit(size_t shard, ports::StoreBatch batch, model::Position low, base::Executor& on,
                         base::Task done) {
  if (failed_) return;
  const bool empty = batch.states.empty() && batch.chunks.empty() && batch.entries.empty() &&
                     batch.list_rows.empty() && batch.checkpoints.empty() && !batch.lineage;
  lows_[shard] = std::max(lows_[shard], low);
  if (!empty) {
    batch.low = *std::min_element(lows_.begin(), lows_.end());
    if (const auto status = parts_.store.commit(batch); !status) {
      failed_ = true;
      parts_.fatal("the store could not be written: " + status.error().sentence);
      return;
    }
    commits_.add();
    if (parts_.clock.monotonic() - synced_ >= parts_.limits.store_sync_interval && !sync_now()) return;
  }
  on.post(std::move(done));
}

void StoreWriter::sync(base::Executor& on, base::Task done) {
  parts_.executor.post([this, &on, done = std::move(done)]() mutable {
    if (!failed_ && sync_now()) on.post(std::move(done));
  });
}

bool StoreWriter::sync_now() {
  synced_ = parts_.clock.monotonic();
  const auto status = parts_.store.sync();
  if (status) return true;
  failed_ = true;
  parts_.fatal("the store could not be synced: " + status.error().sentence);
  return false;
}

}  // namespace tidings::delivery
