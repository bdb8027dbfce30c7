// What RocksStore holds: the database, and what is kept in memory beside it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/write_batch.h>

#include "base/metrics.h"
#include "base/mutex.h"
#include "engine/embedded/rocks_options.h"
#include "engine/embedded/rocks_store_rows.h"

namespace tidings::embedded {

// Remembers the first error that RocksDB met behind our back.
class ErrorListener : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    base::MutexLock lock(mutex_);
    if (!error_) error_ = status->ToString();
  }
  base::Status check() const {
    base::MutexLock lock(mutex_);
    if (!error_) return {};
    return base::failure("The store met an error in the background: " + *error_ + ".");
  }

 private:
  mutable base::Mutex mutex_;
  std::optional<std::string> error_ TIDINGS_GUARDED_BY(mutex_);
};

// Lets go of the steps that are too old, whenever they are compacted. Thread: any.
class StepAge : public rocksdb::CompactionFilter {
 public:
  const char* Name() const override { return "tidings.step_age"; }
  // The time has come to at least `time`.
  void reached(base::WallTime time) {
    const int64_t ms = base::to_ms(time);
    int64_t before = newest_ms_.load(std::memory_order_relaxed);
    while (before < ms && !newest_ms_.compare_exchange_weak(before, ms, std::memory_order_relaxed)) {
    }
  }
  bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& value, std::string*, bool*) const override {
    const auto ms = rows::step_time_ms(rows::view(value));
    return ms && *ms < newest_ms_.load(std::memory_order_relaxed) - ports::step_age_max.count();
  }

 private:
  std::atomic<int64_t> newest_ms_{0};
};

// Bounds from above of the versions that are stored, per bucket of conversations.
class VersionBounds {
 public:
  explicit VersionBounds(model::Position highest) : highest_(highest), buckets_(1u << 16, highest) {}

  bool surely_new(const model::ConversationId& conversation, model::Position version) const {
    return version >= buckets_[bucket(conversation)];
  }
  void written(const model::ConversationId& conversation, model::Position version) {
    auto& bound = buckets_[bucket(conversation)];
    bound = std::max(bound, version);
    highest_ = std::max(highest_, version);
  }
  model::Position highest() const { return highest_; }

 private:
  size_t bucket(const model::ConversationId& conversation) const {
    return base::key_u64(conversation.view()) % buckets_.size();
  }

  model::Position highest_;
  std::vector<model::Position> buckets_;
};

struct RocksState {
  base::Counter& keys_written;
  base::Counter& bytes_written;
  base::Gauge& feed_gauge;
  std::shared_ptr<ErrorListener> errors = std::make_shared<ErrorListener>();
  StepAge step_age;  // the database points to it
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  VersionBounds versions{model::Position{}};
  rows::Bounds bounds_stored;
  std::atomic<uint64_t> feed_bytes{0};
  // Where the feed begins at the earliest, and an end that it does not reach beyond. Of the committing
  // thread.
  model::Position feed_from, feed_to;

  explicit RocksState(base::Registry& registry);
  ~RocksState();

  // Reads what is kept in memory; begins an empty store.
  base::Status begin(const std::string& directory);
  base::Result<std::optional<base::Bytes>> get(ColumnFamily family, base::BytesView key,
                                               const rocksdb::ReadOptions& options = {}) const;
  std::unique_ptr<rocksdb::Iterator> iterate(ColumnFamily family, rocksdb::ReadOptions options = {}) const {
    return std::unique_ptr<rocksdb::Iterator>(db->NewIterator(options, families[family]));
  }
};

// One flush on its way into a write batch. Used once, by the committing thread.
class RocksWrite {
 public:
  explicit RocksWrite(RocksState& state) : state_(state) {}

  base::Status put(const ports::StoreBatch& batch);
  base::Status write();

 private:
  base::Status put_states(const std::vector<ports::StoreBatch::State>& states);
  base::Status put_feed(const ports::StoreBatch& batch);
  void put_rows(const ports::StoreBatch& batch);
  void put_row(ColumnFamily family, base::BytesView key, base::BytesView value);
  // The value in two pieces.
  void put_row(ColumnFamily family, base::BytesView key, base::BytesView head, base::BytesView value);

  RocksState& state_;
  rocksdb::WriteBatch writes_;
  rocksdb::Status status_;
  uint64_t feed_bytes_ = 0;
};

}  // namespace tidings::embedded
