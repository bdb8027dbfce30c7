#include <array>
#include <map>
#include <unordered_map>

#include "engine/embedded/rocks_store_state.h"

namespace tidings::embedded {

using base::Bytes;
using base::BytesView;
using base::Status;
using ports::StoreBatch;
using namespace rows;

void RocksWrite::put_row(ColumnFamily family, BytesView key, BytesView value) {
  if (status_.ok()) status_ = writes_.Put(state_.families[family], slice(key), slice(value));
}
void RocksWrite::put_row(ColumnFamily family, BytesView key, BytesView head, BytesView value) {
  if (!status_.ok()) return;
  const rocksdb::Slice key_piece = slice(key);
  const std::array pieces{slice(head), slice(value)};
  status_ = writes_.Put(state_.families[family], rocksdb::SliceParts(&key_piece, 1),
                        rocksdb::SliceParts(pieces.data(), pieces.size()));
}

Status RocksWrite::put(const StoreBatch& batch) {
  put_rows(batch);
  if (auto put = put_states(batch.states); !put) return put;
  if (auto put = put_feed(batch); !put) return put;
  if (!status_.ok()) return failed("gather", status_);
  return {};
}

void RocksWrite::put_rows(const StoreBatch& batch) {
  for (const auto& chunk : batch.chunks) {
    put_row(family_chunk, chunk_key(chunk.conversation, chunk.first), fixed(chunk.last.value), chunk.value);
  }
  for (const auto& entry : batch.entries) {
    put_row(family_entry, entry_key(entry.conversation, entry.user, entry.client_id), entry.value);
  }
  for (const auto& block : batch.entry_blocks) {
    put_row(family_entry_block, entry_key(block.conversation, block.user, block.first), block.last.view(),
            block.value);
  }
  for (const auto& row : batch.list_rows) put_row(family_list, list_key(row.user, row.conversation), {});
  for (const auto& step : batch.steps) {
    put_row(family_step, step_key(step.conversation, step.user, step.seq), step.value);
  }
  for (const auto& damaged : batch.damaged) {
    put_row(family_damaged, damaged.conversation.view(), damaged.value);
  }
  for (const auto& checkpoint : batch.checkpoints) {
    put_row(family_checkpoint, checkpoint_key(checkpoint.partition), checkpoint_value(checkpoint));
  }
  if (batch.low) put_row(family_sys, key_low, fixed(batch.low->value));
  if (batch.lineage) put_row(family_sys, key_lineage, *batch.lineage);
}

// Adds the states that are not older than what is stored, with their parts.
Status RocksWrite::put_states(const std::vector<StoreBatch::State>& states) {
  std::unordered_map<model::ConversationId, model::Position> in_batch;
  in_batch.reserve(states.size());
  for (const auto& state : states) {
    if (!state_.versions.surely_new(state.conversation, state.version)) {
      const auto stored = state_.get(family_state, state.conversation.view());
      if (!stored) return base::fail(stored.error());
      if (*stored) {
        base::Reader in(**stored);
        const auto version = in.fixed<uint64_t>();
        if (!in.ok()) return unreadable("a state");
        if (state.version.value < version) continue;
      }
    }
    const auto [before, first] = in_batch.try_emplace(state.conversation, state.version);
    if (!first && state.version < before->second) continue;
    before->second = state.version;
    state_.versions.written(state.conversation, state.version);
    put_row(family_state, state.conversation.view(), fixed(state.version.value), state.value);
    for (const auto& part : state.parts) {
      put_row(family_part, part_key(state.conversation, part.key), part.value);
    }
  }
  return {};
}

Status RocksWrite::put_feed(const StoreBatch& batch) {
  feed_bytes_ = state_.feed_bytes;
  const model::Position kept_from = batch.feed_kept_from.value_or(model::Position{});
  if (kept_from > state_.feed_from) {
    const auto at = state_.iterate(family_out);
    bool any = false;
    const Bytes begin = feed_key(state_.feed_from), end = feed_key(kept_from);
    for (at->Seek(begin); at->Valid() && view(at->key()) < end; at->Next()) {
      if (at->value().size() < feed_time_bytes) return unreadable("a feed entry");
      feed_bytes_ -= std::min<uint64_t>(feed_bytes_, at->value().size() - feed_time_bytes);
      any = true;
    }
    if (!at->status().ok()) return failed("read", at->status());
    if (any && status_.ok()) status_ = writes_.DeleteRange(state_.families[family_out], begin, end);
    state_.feed_from = kept_from;
  }

  std::map<model::Position, const StoreBatch::FeedEntry*> entries;
  for (const auto& entry : batch.feed) {
    if (entry.position >= kept_from) entries[entry.position] = &entry;
  }
  for (const auto& [position, entry] : entries) {
    const Bytes key = feed_key(position);
    // Shards take turns, and a replay writes again: what is there already is not counted twice.
    if (position < state_.feed_to) {
      const auto stored = state_.get(family_out, key);
      if (!stored) return base::fail(stored.error());
      if (*stored) {
        if ((*stored)->size() < feed_time_bytes) return unreadable("a feed entry");
        feed_bytes_ -= std::min<uint64_t>(feed_bytes_, (*stored)->size() - feed_time_bytes);
      }
    } else {
      state_.feed_to = {position.value + 1};
    }
    state_.feed_from = std::min(state_.feed_from, position);
    put_row(family_out, key, fixed(static_cast<uint64_t>(base::to_ms(entry->time))), entry->value);
    feed_bytes_ += entry->value.size();
  }
  return {};
}

Status RocksWrite::write() {
  const Bounds bounds{state_.versions.highest().value, feed_bytes_};
  if (bounds != state_.bounds_stored) put_row(family_sys, key_bounds, bounds_value(bounds));
  if (status_.ok()) status_ = state_.db->Write({}, &writes_);
  if (!status_.ok()) return failed("write", status_);
  state_.bounds_stored = bounds;
  state_.feed_bytes = feed_bytes_;
  state_.feed_gauge.set(static_cast<int64_t>(feed_bytes_));
  state_.keys_written.add(static_cast<uint64_t>(writes_.Count()));
  state_.bytes_written.add(writes_.GetDataSize());
  return {};
}

}  // namespace tidings::embedded
