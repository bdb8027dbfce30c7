#include "engine/memory/memory_store.h"

#include "base/seed_bug.h"

namespace tidings::memory {

using base::Bytes;
using base::MutexLock;
using base::Result;
using base::Status;
using ports::StoreBatch;
using ports::StoredState;

void MemoryStore::Tables::apply(const StoreBatch& batch) {
  for (const auto& state : batch.states) {
    auto& stored = states[state.conversation];
    if (state.version < stored.version) continue;
    stored.version = state.version;
    stored.value = state.value;
    for (const auto& part : state.parts) stored.parts[part.key] = part.value;
  }
  for (const auto& chunk : batch.chunks) chunks[chunk.conversation][chunk.first] = {chunk.last, chunk.value};
  for (const auto& entry : batch.entries)
    entries[{entry.conversation, entry.user, entry.client_id}] = entry.value;
  for (const auto& block : batch.entry_blocks)
    entry_blocks[{block.conversation, block.user, block.first}] = {block.last, block.value};
  for (const auto& step : batch.steps) steps[{step.conversation, step.user, step.seq}] = step.value;
  for (const auto& entry : batch.feed) {
    auto& [time, value] = feed[entry.position];
    feed_bytes += entry.value.size() - value.size();
    time = entry.time;
    value = entry.value;
  }
  while (batch.feed_kept_from && !feed.empty() && feed.begin()->first < *batch.feed_kept_from) {
    feed_bytes -= feed.begin()->second.second.size();
    feed.erase(feed.begin());
  }
  for (const auto& state : batch.damaged) damaged[state.conversation] = state.value;
  for (const auto& row : batch.list_rows) list[{row.user, row.conversation}];
  for (const auto& checkpoint : batch.checkpoints) checkpoints[checkpoint.partition] = checkpoint;
  if (batch.low) low = *batch.low;
  if (batch.lineage) lineage = batch.lineage;
}

MemoryStore::MemoryStore(Hook hook) : hook_(std::move(hook)) {}

Status MemoryStore::commit(const StoreBatch& batch) {
  called("commit");
  if (TIDINGS_SEED_BUG(6)) {
    StoreBatch rest = batch, entries;
    entries.entries.swap(rest.entries);
    entries.entry_blocks.swap(rest.entry_blocks);
    commit_part(rest);
    called("commit entries");
    commit_part(entries);
  } else if (TIDINGS_SEED_BUG(14)) {
    StoreBatch rest = batch, states;
    states.states.swap(rest.states);
    commit_part(states);
    called("commit rows");
    commit_part(rest);
  } else {
    commit_part(batch);
  }
  return {};
}

void MemoryStore::commit_part(const StoreBatch& batch) {
  MutexLock lock(mutex_);
  unsynced_.push_back(batch);
  current_.apply(batch);
}

Status MemoryStore::sync() {
  called("sync");
  MutexLock lock(mutex_);
  for (const auto& batch : unsynced_) synced_.apply(batch);
  unsynced_.clear();
  return {};
}

Result<std::optional<StoredState>> MemoryStore::load_state(const model::ConversationId& conversation) {
  called("load_state");
  MutexLock lock(mutex_);
  const auto found = current_.states.find(conversation);
  if (found == current_.states.end()) return std::optional<StoredState>();
  StoredState out{found->second.value, {}};
  for (const auto& [key, value] : found->second.parts) out.parts.push_back({key, value});
  return std::optional(std::move(out));
}

Result<std::vector<std::optional<StoredState>>> MemoryStore::load_states(
    const std::vector<model::ConversationId>& conversations, base::BytesView part) {
  called("load_states");
  MutexLock lock(mutex_);
  std::vector<std::optional<StoredState>> out(conversations.size());
  const Bytes key(part);
  for (size_t i = 0; i < out.size(); ++i) {
    const auto found = current_.states.find(conversations[i]);
    if (found == current_.states.end()) continue;
    out[i] = StoredState{found->second.value, {}};
    const auto asked = found->second.parts.find(key);
    if (asked != found->second.parts.end()) out[i]->parts.push_back({key, asked->second});
  }
  return out;
}

Result<ports::Store::FoundEntries> MemoryStore::find_entry(const model::ConversationId& conversation,
                                                           model::UserId user,
                                                           const model::ClientId& client_id) {
  called("find_entry");
  MutexLock lock(mutex_);
  FoundEntries out;
  const auto single = current_.entries.find({conversation, user, client_id});
  if (single != current_.entries.end()) out.single = single->second;
  auto block = current_.entry_blocks.upper_bound({conversation, user, client_id});
  if (block == current_.entry_blocks.begin()) return out;
  --block;
  const auto& [of, by, first] = block->first;
  const auto& [last, value] = block->second;
  if (of == conversation && by == user && client_id <= last) out.block = value;
  return out;
}

Result<std::vector<StoreBatch::Chunk>> MemoryStore::read_chunks(const model::ConversationId& conversation,
                                                                model::Seq after, size_t bytes_max) {
  called("read_chunks");
  MutexLock lock(mutex_);
  std::vector<StoreBatch::Chunk> out;
  const auto found = current_.chunks.find(conversation);
  if (found == current_.chunks.end()) return out;
  const auto& chunks = found->second;
  auto at = chunks.upper_bound(after);
  if (at != chunks.begin() && std::prev(at)->second.first > after) --at;
  size_t bytes = 0;
  for (; at != chunks.end() && (out.empty() || bytes < bytes_max); ++at) {
    const auto& [last, value] = at->second;
    out.push_back({conversation, at->first, last, value});
    bytes += value.size();
  }
  return out;
}

Result<std::vector<StoreBatch::Chunk>> MemoryStore::read_chunks_before(
    const model::ConversationId& conversation, model::Seq before, size_t bytes_max) {
  called("read_chunks_before");
  MutexLock lock(mutex_);
  std::vector<StoreBatch::Chunk> out;
  const auto found = current_.chunks.find(conversation);
  if (found == current_.chunks.end()) return out;
  const auto& chunks = found->second;
  size_t bytes = 0;
  for (auto at = chunks.lower_bound(before); at != chunks.begin() && (out.empty() || bytes < bytes_max);) {
    --at;
    const auto& [last, value] = at->second;
    out.push_back({conversation, at->first, last, value});
    bytes += value.size();
  }
  return out;
}

Result<std::optional<StoreBatch::Step>> MemoryStore::find_step(const model::ConversationId& conversation,
                                                               model::UserId user, model::Seq seq) {
  called("find_step");
  MutexLock lock(mutex_);
  const auto found = current_.steps.lower_bound({conversation, user, seq});
  if (found == current_.steps.end()) return std::optional<StoreBatch::Step>();
  const auto& [of, by, at] = found->first;
  if (of != conversation || by != user) return std::optional<StoreBatch::Step>();
  return std::optional(StoreBatch::Step{conversation, user, at, found->second});
}

Result<std::vector<StoreBatch::FeedEntry>> MemoryStore::read_feed(model::Position from, size_t bytes_max) {
  called("read_feed");
  MutexLock lock(mutex_);
  std::vector<StoreBatch::FeedEntry> out;
  size_t bytes = 0;
  for (auto at = current_.feed.lower_bound(from);
       at != current_.feed.end() && (out.empty() || bytes < bytes_max); ++at) {
    const auto& [time, value] = at->second;
    out.push_back({at->first, time, value});
    bytes += value.size();
  }
  return out;
}

Result<uint64_t> MemoryStore::feed_bytes() {
  called("feed_bytes");
  MutexLock lock(mutex_);
  return current_.feed_bytes;
}

Result<std::vector<model::ConversationId>> MemoryStore::list(model::UserId user,
                                                             const model::ConversationId& from,
                                                             const model::ConversationId& to, size_t limit) {
  called("list");
  MutexLock lock(mutex_);
  std::vector<model::ConversationId> out;
  for (auto at = current_.list.lower_bound({user, from}); at != current_.list.end() && out.size() < limit;
       ++at) {
    if (at->first.first != user || at->first.second > to) break;
    out.push_back(at->first.second);
  }
  return out;
}

Result<std::vector<ports::Checkpoint>> MemoryStore::checkpoints() {
  called("checkpoints");
  MutexLock lock(mutex_);
  std::vector<ports::Checkpoint> out;
  for (const auto& [partition, checkpoint] : current_.checkpoints) out.push_back(checkpoint);
  return out;
}

Result<model::Position> MemoryStore::low() {
  called("low");
  MutexLock lock(mutex_);
  return current_.low;
}

Result<std::optional<Bytes>> MemoryStore::lineage() {
  called("lineage");
  MutexLock lock(mutex_);
  return current_.lineage;
}

std::optional<Bytes> MemoryStore::damaged(const model::ConversationId& conversation) const {
  MutexLock lock(mutex_);
  const auto found = current_.damaged.find(conversation);
  return found == current_.damaged.end() ? std::nullopt : std::optional(found->second);
}

void MemoryStore::power_cut(ports::Random& random) {
  MutexLock lock(mutex_);
  const uint64_t kept = random.below(unsynced_.size() + 1);
  for (size_t i = 0; i < kept; ++i) synced_.apply(unsynced_[i]);
  unsynced_.clear();
  current_ = synced_;
}

MemoryStore::Snapshot MemoryStore::snapshot() const {
  MutexLock lock(mutex_);
  Snapshot out;
  out.tables_ = current_;
  return out;
}

void MemoryStore::restore(const Snapshot& snapshot) {
  MutexLock lock(mutex_);
  current_ = synced_ = snapshot.tables_;
  unsynced_.clear();
}

}  // namespace tidings::memory
