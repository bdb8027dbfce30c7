#include <algorithm>
#include <numeric>

#include <rocksdb/snapshot.h>

#include "engine/embedded/rocks_store.h"
#include "engine/embedded/rocks_store_state.h"

namespace tidings::embedded {

using base::Bytes;
using base::BytesView;
using base::Result;
using model::ConversationId;
using ports::StoreBatch;
using ports::StoredState;
using namespace rows;

namespace {

rocksdb::ReadOptions as_of(rocksdb::ManagedSnapshot& snapshot) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();
  return options;
}
// Keys of one prefix, by the family's filter of prefixes.
rocksdb::ReadOptions of_prefix(rocksdb::ReadOptions options = {}) {
  options.prefix_same_as_start = true;
  return options;
}

std::optional<StoreBatch::Chunk> chunk_in(const ConversationId& conversation, BytesView key,
                                          BytesView value) {
  base::Reader key_in(key.substr(conversation.bytes.size())), in(value);
  const model::Seq first{base::key_u64(key_in.raw(8))}, last{in.fixed<uint64_t>()};
  if (!key_in.finished() || !in.ok()) return std::nullopt;
  return StoreBatch::Chunk{conversation, first, last, Bytes(in.raw(in.left()))};
}

// Values of many keys of one family, in the order of the keys.
struct Values {
  explicit Values(size_t count) : values(count), statuses(count) {}
  std::vector<rocksdb::PinnableSlice> values;
  std::vector<rocksdb::Status> statuses;

  void read(const RocksState& state, const rocksdb::ReadOptions& options, ColumnFamily family,
            const std::vector<rocksdb::Slice>& sorted_keys) {
    state.db->MultiGet(options, state.families[family], sorted_keys.size(), sorted_keys.data(), values.data(),
                       statuses.data(), true);
  }
};

}  // namespace

Result<std::optional<StoredState>> RocksStore::load_state(const ConversationId& conversation) {
  rocksdb::ManagedSnapshot snapshot(state_->db.get());
  auto value = state_->get(family_state, conversation.view(), as_of(snapshot));
  if (!value) return base::fail(value.error());
  if (!*value) return std::optional<StoredState>();
  if ((*value)->size() < version_bytes) return unreadable("a state");
  (*value)->erase(0, version_bytes);
  StoredState out{std::move(**value), {}};
  const auto at = state_->iterate(family_part, of_prefix(as_of(snapshot)));
  const size_t prefix_bytes = conversation.bytes.size();
  for (at->Seek(slice(conversation.view())); at->Valid() && view(at->key()).starts_with(conversation.view());
       at->Next()) {
    out.parts.push_back({Bytes(view(at->key()).substr(prefix_bytes)), Bytes(view(at->value()))});
  }
  if (!at->status().ok()) return failed("read", at->status());
  return std::optional(std::move(out));
}

Result<std::vector<std::optional<StoredState>>> RocksStore::load_states(
    const std::vector<ConversationId>& conversations, BytesView part) {
  const size_t count = conversations.size();
  std::vector<std::optional<StoredState>> out(count);
  if (count == 0) return out;
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return conversations[a] < conversations[b]; });

  rocksdb::ManagedSnapshot snapshot(state_->db.get());
  std::vector<rocksdb::Slice> keys;
  keys.reserve(count);
  for (const size_t i : order) keys.push_back(slice(conversations[i].view()));
  Values states(count);
  states.read(*state_, as_of(snapshot), family_state, keys);
  keys.clear();
  std::vector<size_t> found;
  for (size_t n = 0; n < count; ++n) {
    if (states.statuses[n].IsNotFound()) continue;
    if (!states.statuses[n].ok()) return failed("read", states.statuses[n]);
    const BytesView value = view(states.values[n]);
    if (value.size() < version_bytes) return unreadable("a state");
    out[order[n]] = StoredState{Bytes(value.substr(version_bytes)), {}};
    found.push_back(order[n]);
  }
  if (part.empty() || found.empty()) return out;

  Bytes part_keys;
  const size_t key_bytes = sizeof(ConversationId::bytes) + part.size();
  part_keys.reserve(found.size() * key_bytes);
  for (const size_t i : found) part_keys.append(conversations[i].view()).append(part);
  for (size_t n = 0; n < found.size(); ++n) {
    keys.push_back(slice(BytesView(part_keys).substr(n * key_bytes, key_bytes)));
  }
  Values parts(found.size());
  parts.read(*state_, as_of(snapshot), family_part, keys);
  for (size_t n = 0; n < found.size(); ++n) {
    if (parts.statuses[n].IsNotFound()) continue;
    if (!parts.statuses[n].ok()) return failed("read", parts.statuses[n]);
    out[found[n]]->parts.push_back({Bytes(part), Bytes(view(parts.values[n]))});
  }
  return out;
}

Result<ports::Store::FoundEntries> RocksStore::find_entry(const ConversationId& conversation,
                                                          model::UserId user,
                                                          const model::ClientId& client_id) {
  const Bytes key = entry_key(conversation, user, client_id);
  auto single = state_->get(family_entry, key);
  if (!single) return base::fail(single.error());
  FoundEntries out{std::move(*single), {}};
  const auto at = state_->iterate(family_entry_block, of_prefix());
  at->SeekForPrev(key);
  const size_t prefix_bytes = key.size() - client_id.bytes.size();
  if (at->Valid() && view(at->key()).starts_with(BytesView(key).substr(0, prefix_bytes))) {
    const BytesView value = view(at->value());
    if (value.size() < last_client_bytes) return unreadable("a block of entries");
    if (client_id.view() <= value.substr(0, last_client_bytes)) out.block = value.substr(last_client_bytes);
  }
  if (!at->status().ok()) return failed("read", at->status());
  return out;
}

Result<std::vector<StoreBatch::Chunk>> RocksStore::read_chunks(const ConversationId& conversation,
                                                               model::Seq after, size_t bytes_max) {
  std::vector<StoreBatch::Chunk> out;
  const auto at = state_->iterate(family_chunk);
  const auto here = [&] { return at->Valid() && view(at->key()).starts_with(conversation.view()); };
  // The chunk that begins at or below `after` may reach beyond it.
  at->SeekForPrev(chunk_key(conversation, after));
  if (!here()) at->Seek(slice(conversation.view()));
  size_t bytes = 0;
  for (; here() && (out.empty() || bytes < bytes_max); at->Next()) {
    auto chunk = chunk_in(conversation, view(at->key()), view(at->value()));
    if (!chunk) return unreadable("a chunk");
    if (chunk->first <= after && chunk->last <= after) continue;
    bytes += chunk->value.size();
    out.push_back(std::move(*chunk));
  }
  if (!at->status().ok()) return failed("read", at->status());
  return out;
}

Result<std::vector<StoreBatch::Chunk>> RocksStore::read_chunks_before(const ConversationId& conversation,
                                                                      model::Seq before, size_t bytes_max) {
  std::vector<StoreBatch::Chunk> out;
  if (before.value == 0) return out;
  const auto at = state_->iterate(family_chunk);
  size_t bytes = 0;
  for (at->SeekForPrev(chunk_key(conversation, {before.value - 1}));
       at->Valid() && view(at->key()).starts_with(conversation.view()) && (out.empty() || bytes < bytes_max);
       at->Prev()) {
    auto chunk = chunk_in(conversation, view(at->key()), view(at->value()));
    if (!chunk) return unreadable("a chunk");
    bytes += chunk->value.size();
    out.push_back(std::move(*chunk));
  }
  if (!at->status().ok()) return failed("read", at->status());
  return out;
}

Result<std::optional<StoreBatch::Step>> RocksStore::find_step(const ConversationId& conversation,
                                                              model::UserId user, model::Seq seq) {
  const Bytes key = step_key(conversation, user, seq);
  const size_t prefix_bytes = key.size() - sizeof seq.value;
  const auto at = state_->iterate(family_step, of_prefix());
  at->Seek(key);
  if (!at->status().ok()) return failed("read", at->status());
  if (!at->Valid() || !view(at->key()).starts_with(BytesView(key).substr(0, prefix_bytes))) {
    return std::optional<StoreBatch::Step>();
  }
  if (at->key().size() != key.size()) return unreadable("a step");
  const model::Seq found{base::key_u64(view(at->key()).substr(prefix_bytes))};
  return std::optional(StoreBatch::Step{conversation, user, found, Bytes(view(at->value()))});
}

Result<std::vector<StoreBatch::FeedEntry>> RocksStore::read_feed(model::Position from, size_t bytes_max) {
  std::vector<StoreBatch::FeedEntry> out;
  const auto at = state_->iterate(family_out);
  size_t bytes = 0;
  for (at->Seek(feed_key(from)); at->Valid() && (out.empty() || bytes < bytes_max); at->Next()) {
    base::Reader in(view(at->value()));
    const auto ms = in.fixed<int64_t>();
    if (at->key().size() != sizeof(uint64_t) || !in.ok()) return unreadable("a feed entry");
    out.push_back({{base::key_u64(view(at->key()))}, base::wall_from_ms(ms), Bytes(in.raw(in.left()))});
    bytes += out.back().value.size();
  }
  if (!at->status().ok()) return failed("read", at->status());
  return out;
}

Result<uint64_t> RocksStore::feed_bytes() {
  return state_->feed_bytes.load();
}

Result<std::vector<ConversationId>> RocksStore::list(model::UserId user, const ConversationId& from,
                                                     const ConversationId& to, size_t limit) {
  std::vector<ConversationId> out;
  const auto at = state_->iterate(family_list);
  const Bytes last = list_key(user, to);
  for (at->Seek(list_key(user, from)); out.size() < limit && at->Valid() && view(at->key()) <= last;
       at->Next()) {
    if (at->key().size() != last.size()) return unreadable("a list row");
    out.push_back({base::Reader(view(at->key()).substr(sizeof user.value)).array<16>()});
  }
  if (!at->status().ok()) return failed("read", at->status());
  return out;
}

Result<std::vector<ports::Checkpoint>> RocksStore::checkpoints() {
  std::vector<ports::Checkpoint> out;
  const auto at = state_->iterate(family_checkpoint);
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    const auto checkpoint = checkpoint_in(view(at->key()), view(at->value()));
    if (!checkpoint) return unreadable("a checkpoint");
    out.push_back(*checkpoint);
  }
  if (!at->status().ok()) return failed("read", at->status());
  return out;
}

Result<model::Position> RocksStore::low() {
  const auto value = state_->get(family_sys, key_low);
  if (!value) return base::fail(value.error());
  if (!*value) return model::Position{};
  const auto low = number_in(**value);
  if (!low) return unreadable("a number");
  return model::Position{*low};
}

Result<std::optional<Bytes>> RocksStore::lineage() {
  return state_->get(family_sys, key_lineage);
}

}  // namespace tidings::embedded
