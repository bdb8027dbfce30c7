#include "engine/embedded/rocks_store.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/write_batch.h>

#include "base/mutex.h"
#include "engine/embedded/rocks_options.h"

namespace tidings::embedded {
namespace {

using base::Bytes;
using base::BytesView;
using base::Result;
using base::Status;
using model::ConversationId;
using ports::StoreBatch;

constexpr uint32_t format_number = 1;
constexpr size_t version_bytes = sizeof(uint64_t);
constexpr const char *key_format = "format", *key_low = "low", *key_lineage = "lineage",
                     *key_highest = "highest_version";

rocksdb::Slice slice(BytesView bytes) {
  return {bytes.data(), bytes.size()};
}
BytesView view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

base::Fail<base::Failure> failed(const char* what, const rocksdb::Status& status) {
  return base::failure(std::string("The store cannot ") + what + ": " + status.ToString() + ".");
}
base::Fail<base::Failure> unreadable(const char* what) {
  return base::failure(std::string("The store holds ") + what + " that cannot be read.");
}

Bytes chunk_key(const ConversationId& conversation, model::Seq first) {
  Bytes key(conversation.view());
  base::append_key(key, first.value);
  return key;
}
Bytes entry_key(const ConversationId& conversation, model::UserId user, const model::ClientId& client_id) {
  Bytes key(conversation.view());
  base::append_key(key, user.value);
  key += client_id.view();
  return key;
}
Bytes list_key(model::UserId user, const ConversationId& conversation) {
  Bytes key;
  base::append_key(key, user.value);
  key += conversation.view();
  return key;
}
ConversationId conversation_in(BytesView bytes) {
  return {base::Reader(bytes).array<16>()};
}

Bytes fixed(uint64_t n) {
  Bytes bytes;
  base::Writer(bytes).fixed(n);
  return bytes;
}

Bytes checkpoint_key(model::PartitionId partition) {
  return {static_cast<char>(partition.value >> 8), static_cast<char>(partition.value)};
}
Bytes checkpoint_value(const ports::Checkpoint& checkpoint) {
  Bytes bytes;
  base::Writer out(bytes);
  out.fixed(checkpoint.position.value);
  out.fixed<int64_t>(base::to_ms(checkpoint.time));
  out.fixed(checkpoint.fold_version);
  out.fixed(checkpoint.hash);
  return bytes;
}

// Remembers the first error that RocksDB met behind our back.
class ErrorListener : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    base::MutexLock lock(mutex_);
    if (!error_) error_ = status->ToString();
  }
  Status check() const {
    base::MutexLock lock(mutex_);
    if (!error_) return {};
    return base::failure("The store met an error in the background: " + *error_ + ".");
  }

 private:
  mutable base::Mutex mutex_;
  std::optional<std::string> error_ TIDINGS_GUARDED_BY(mutex_);
};

// Bounds from above of the versions that are stored, per bucket of conversations.
class VersionBounds {
 public:
  explicit VersionBounds(model::Position highest) : highest_(highest), buckets_(1u << 16, highest) {}

  bool surely_new(const ConversationId& conversation, model::Position version) const {
    return version >= buckets_[bucket(conversation)];
  }
  void written(const ConversationId& conversation, model::Position version) {
    auto& bound = buckets_[bucket(conversation)];
    bound = std::max(bound, version);
    highest_ = std::max(highest_, version);
  }
  model::Position highest() const { return highest_; }

 private:
  size_t bucket(const ConversationId& conversation) const {
    return base::key_u64(conversation.view()) % buckets_.size();
  }

  model::Position highest_;
  std::vector<model::Position> buckets_;
};

}  // namespace

struct RocksStore::State {
  base::Counter& keys_written;
  base::Counter& bytes_written;
  std::shared_ptr<ErrorListener> errors = std::make_shared<ErrorListener>();
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  VersionBounds versions{model::Position{}};
  uint64_t highest_stored = 0;

  explicit State(base::Registry& registry)
      : keys_written(registry.counter("tidings_store_keys_written_total")),
        bytes_written(registry.counter("tidings_store_bytes_written_total")) {}
  ~State() {
    for (auto* handle : families) db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    if (db) db->Close().PermitUncheckedError();
  }

  Result<std::optional<Bytes>> get(ColumnFamily family, BytesView key) const;
  Result<uint64_t> get_number(const char* key) const;
  std::unique_ptr<rocksdb::Iterator> iterate(ColumnFamily family) const {
    return std::unique_ptr<rocksdb::Iterator>(db->NewIterator({}, families[family]));
  }
  // Adds the states that are not older than what is stored.
  template <class Put>
  Status put_states(const std::vector<StoreBatch::State>& states, Put put);
};

Result<std::optional<Bytes>> RocksStore::State::get(ColumnFamily family, BytesView key) const {
  Bytes value;
  const auto status = db->Get({}, families[family], slice(key), &value);
  if (status.IsNotFound()) return std::optional<Bytes>();
  if (!status.ok()) return failed("read", status);
  return std::optional(std::move(value));
}

Result<uint64_t> RocksStore::State::get_number(const char* key) const {
  auto value = get(family_sys, key);
  if (!value) return base::fail(value.error());
  if (!*value) return uint64_t{0};
  base::Reader in(**value);
  const auto n = in.fixed<uint64_t>();
  if (!in.finished()) return unreadable("a number");
  return n;
}

template <class Put>
Status RocksStore::State::put_states(const std::vector<StoreBatch::State>& states, Put put) {
  std::unordered_map<ConversationId, model::Position> in_batch;
  in_batch.reserve(states.size());
  for (const auto& state : states) {
    if (!versions.surely_new(state.conversation, state.version)) {
      auto stored = get(family_state, state.conversation.view());
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
    versions.written(state.conversation, state.version);
    const Bytes version = fixed(state.version.value);
    const rocksdb::Slice key = slice(state.conversation.view());
    const std::array parts{slice(version), slice(state.value)};
    put(family_state, rocksdb::SliceParts(&key, 1), rocksdb::SliceParts(parts.data(), parts.size()));
  }
  return {};
}

RocksStore::RocksStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
RocksStore::~RocksStore() = default;

Result<std::unique_ptr<RocksStore>> RocksStore::open(const std::string& directory, base::Registry& registry) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return base::failure("The store's directory " + directory + " cannot be made: " + error.message() + ".");
  }
  auto state = std::make_unique<State>(registry);
  rocksdb::DB* db = nullptr;
  const auto opened = rocksdb::DB::Open(rocks_db_options(state->errors), directory, rocks_column_families(),
                                        &state->families, &db);
  state->db.reset(db);
  if (!opened.ok()) {
    return base::failure("The store in " + directory + " cannot be opened: " + opened.ToString() +
                         ". Is another server running on it, or was it made by a newer one?");
  }
  auto format = state->get_number(key_format);
  if (!format) return base::fail(format.error());
  if (*format > format_number) {
    return base::failure("The store in " + directory + " has format " + std::to_string(*format) +
                         ", this server knows up to " + std::to_string(format_number) +
                         "; use the newer server that wrote it.");
  }
  if (*format == 0) {
    rocksdb::WriteOptions synced;
    synced.sync = true;
    const auto put = state->db->Put(synced, state->families[family_sys], key_format, fixed(format_number));
    if (!put.ok()) return failed("begin", put);
  }
  auto highest = state->get_number(key_highest);
  if (!highest) return base::fail(highest.error());
  state->highest_stored = *highest;
  state->versions = VersionBounds({*highest});
  return std::unique_ptr<RocksStore>(new RocksStore(std::move(state)));
}

Status RocksStore::commit(const StoreBatch& batch) {
  if (auto background = state_->errors->check(); !background) return background;
  rocksdb::WriteBatch writes;
  rocksdb::Status status;
  const auto put_parts = [&](ColumnFamily family, const rocksdb::SliceParts& key,
                             const rocksdb::SliceParts& value) {
    if (status.ok()) status = writes.Put(state_->families[family], key, value);
  };
  const auto put = [&](ColumnFamily family, BytesView key, BytesView value) {
    if (status.ok()) status = writes.Put(state_->families[family], slice(key), slice(value));
  };

  for (const auto& chunk : batch.chunks) {
    const Bytes key = chunk_key(chunk.conversation, chunk.first), last = fixed(chunk.last.value);
    const rocksdb::Slice key_part = slice(key);
    const std::array parts{slice(last), slice(chunk.value)};
    put_parts(family_chunk, rocksdb::SliceParts(&key_part, 1),
              rocksdb::SliceParts(parts.data(), parts.size()));
  }
  for (const auto& entry : batch.entries) {
    put(family_entry, entry_key(entry.conversation, entry.user, entry.client_id), entry.value);
  }
  for (const auto& row : batch.list_rows) put(family_list, list_key(row.user, row.conversation), {});
  if (auto states = state_->put_states(batch.states, put_parts); !states) return states;
  for (const auto& checkpoint : batch.checkpoints) {
    put(family_checkpoint, checkpoint_key(checkpoint.partition), checkpoint_value(checkpoint));
  }
  if (batch.low) put(family_sys, key_low, fixed(batch.low->value));
  if (batch.lineage) put(family_sys, key_lineage, *batch.lineage);
  const uint64_t highest = state_->versions.highest().value;
  if (highest > state_->highest_stored) put(family_sys, key_highest, fixed(highest));

  if (status.ok()) status = state_->db->Write({}, &writes);
  if (!status.ok()) return failed("write", status);
  state_->highest_stored = highest;
  state_->keys_written.add(static_cast<uint64_t>(writes.Count()));
  state_->bytes_written.add(writes.GetDataSize());
  return {};
}

Status RocksStore::sync() {
  if (auto background = state_->errors->check(); !background) return background;
  const auto status = state_->db->FlushWAL(true);
  if (!status.ok()) return failed("sync", status);
  return {};
}

Result<std::optional<Bytes>> RocksStore::load_state(const ConversationId& conversation) {
  auto value = state_->get(family_state, conversation.view());
  if (!value || !*value) return value;
  if ((*value)->size() < version_bytes) return unreadable("a state");
  (*value)->erase(0, version_bytes);
  return value;
}

Result<std::vector<std::optional<Bytes>>> RocksStore::load_states(
    const std::vector<ConversationId>& conversations) {
  const size_t count = conversations.size();
  std::vector<rocksdb::Slice> keys;
  keys.reserve(count);
  for (const auto& conversation : conversations) keys.push_back(slice(conversation.view()));
  std::vector<rocksdb::PinnableSlice> values(count);
  std::vector<rocksdb::Status> statuses(count);
  state_->db->MultiGet({}, state_->families[family_state], count, keys.data(), values.data(),
                       statuses.data());
  std::vector<std::optional<Bytes>> out(count);
  for (size_t i = 0; i < count; ++i) {
    if (statuses[i].IsNotFound()) continue;
    if (!statuses[i].ok()) return failed("read", statuses[i]);
    if (values[i].size() < version_bytes) return unreadable("a state");
    out[i] = view(values[i]).substr(version_bytes);
  }
  return out;
}

Result<std::optional<Bytes>> RocksStore::find_entry(const ConversationId& conversation, model::UserId user,
                                                    const model::ClientId& client_id) {
  return state_->get(family_entry, entry_key(conversation, user, client_id));
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
    base::Reader key(view(at->key()).substr(16)), value(view(at->value()));
    const model::Seq first{base::key_u64(key.raw(8))}, last{value.fixed<uint64_t>()};
    if (!key.finished() || !value.ok()) return unreadable("a chunk");
    if (first <= after && last <= after) continue;
    out.push_back({conversation, first, last, Bytes(value.raw(value.left()))});
    bytes += out.back().value.size();
  }
  if (!at->status().ok()) return failed("read", at->status());
  return out;
}

Result<std::vector<ConversationId>> RocksStore::list(model::UserId user, const ConversationId& from,
                                                     const ConversationId& to, size_t limit) {
  std::vector<ConversationId> out;
  const auto at = state_->iterate(family_list);
  const Bytes last = list_key(user, to);
  for (at->Seek(list_key(user, from)); out.size() < limit && at->Valid() && view(at->key()) <= last;
       at->Next()) {
    if (at->key().size() != last.size()) return unreadable("a list row");
    out.push_back(conversation_in(view(at->key()).substr(8)));
  }
  if (!at->status().ok()) return failed("read", at->status());
  return out;
}

Result<std::vector<ports::Checkpoint>> RocksStore::checkpoints() {
  std::vector<ports::Checkpoint> out;
  const auto at = state_->iterate(family_checkpoint);
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    if (at->key().size() != 2) return unreadable("a checkpoint");
    base::Reader in(view(at->value()));
    ports::Checkpoint checkpoint;
    checkpoint.partition.value =
        static_cast<uint16_t>(static_cast<uint8_t>(at->key()[0]) << 8 | static_cast<uint8_t>(at->key()[1]));
    checkpoint.position = {in.fixed<uint64_t>()};
    checkpoint.time = base::wall_from_ms(in.fixed<int64_t>());
    checkpoint.fold_version = in.fixed<uint32_t>();
    checkpoint.hash = in.fixed<uint64_t>();
    if (!in.finished()) return unreadable("a checkpoint");
    out.push_back(checkpoint);
  }
  if (!at->status().ok()) return failed("read", at->status());
  return out;
}

Result<model::Position> RocksStore::low() {
  auto low = state_->get_number(key_low);
  if (!low) return base::fail(low.error());
  return model::Position{*low};
}

Result<std::optional<Bytes>> RocksStore::lineage() {
  return state_->get(family_sys, key_lineage);
}

}  // namespace tidings::embedded
