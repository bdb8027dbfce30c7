#include "delivery/store_writer.h"

#include <algorithm>

#include "ports/feed.h"

namespace tidings::delivery {

namespace {
constexpr auto feed_look_interval = std::chrono::seconds(10);
}  // namespace

StoreWriter::StoreWriter(Parts parts)
    : parts_(std::move(parts)),
      lows_(parts_.shard_count, parts_.low),
      stored_low_(parts_.low),
      synced_(parts_.clock.monotonic()),
      commits_(
          parts_.metrics.counter("tidings_delivery_store_commits_total", "Batches written to the store.")) {}

void StoreWriter::submit(size_t shard, ports::StoreBatch batch, model::Position low, base::Executor& on,
                         base::Task done) {
  parts_.executor.post([this, shard, batch = std::move(batch), low, &on, done = std::move(done)]() mutable {
    commit(shard, std::move(batch), low, on, std::move(done));
  });
}

void StoreWriter::commit(size_t shard, ports::StoreBatch batch, model::Position low, base::Executor& on,
                         base::Task done) {
  if (failed_) return;
  const bool empty = batch.states.empty() && batch.checkpoints.empty() && !batch.lineage;
  lows_[shard] = std::max(lows_[shard], low);
  if (!empty) {
    batch.low = *std::min_element(lows_.begin(), lows_.end());
    trim_feed(batch);
    if (const auto status = parts_.store.commit(batch); !status) {
      failed_ = true;
      parts_.fatal("the store could not be written: " + status.error().sentence);
      return;
    }
    commits_.add();
    stored_low_ = *batch.low;
    if (parts_.clock.monotonic() - synced_ >= parts_.limits.store_sync_interval && !sync_now()) return;
  }
  on.post(std::move(done));
}

// By the times in the feed itself: a clock that jumps must not make anybody forget. A feed that cannot be
// read is trimmed another time.
void StoreWriter::trim_feed(ports::StoreBatch& batch) {
  const auto now = parts_.clock.monotonic();
  if (batch.feed.empty() || now - feed_looked_at_ < feed_look_interval) return;
  feed_looked_at_ = now;
  const auto since =
      batch.feed.back().time - std::chrono::duration_cast<base::milliseconds>(parts_.limits.feed_age_max);
  const auto cut = ports::feed_cut(parts_.store, {since, parts_.limits.feed_bytes_max, *batch.low});
  if (!cut || !*cut) return;
  batch.feed_kept_from = *cut;
  feed_looked_at_ -= feed_look_interval;  // there may be more of it
}

void StoreWriter::sync(base::Executor& on, base::Task done) {
  parts_.executor.post([this, &on, done = std::move(done)]() mutable {
    if (!failed_ && sync_now()) on.post(std::move(done));
  });
}

bool StoreWriter::sync_now() {
  synced_ = parts_.clock.monotonic();
  const auto status = parts_.store.sync();
  if (status) {
    if (parts_.synced) parts_.synced(stored_low_);
    return true;
  }
  failed_ = true;
  parts_.fatal("the store could not be synced: " + status.error().sentence);
  return false;
}

}  // namespace tidings::delivery
