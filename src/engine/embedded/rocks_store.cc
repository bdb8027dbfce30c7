#include "engine/embedded/rocks_store.h"

#include <filesystem>
#include <set>

#include "engine/embedded/rocks_store_state.h"

namespace tidings::embedded {

using base::Bytes;
using base::BytesView;
using base::Result;
using base::Status;
using ports::StoreBatch;
using namespace rows;

RocksState::RocksState(base::Registry& registry)
    : keys_written(registry.counter("tidings_store_keys_written_total", "Keys written to the store.")),
      bytes_written(registry.counter("tidings_store_bytes_written_total",
                                     "Bytes of keys and values written to the store.")),
      feed_gauge(registry.gauge("tidings_store_feed_bytes", "Bytes of the feed that the store keeps.")) {}

RocksState::~RocksState() {
  for (auto* handle : families) db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  if (db) db->Close().PermitUncheckedError();
}

Result<std::optional<Bytes>> RocksState::get(ColumnFamily family, BytesView key,
                                             const rocksdb::ReadOptions& options) const {
  Bytes value;
  const auto status = db->Get(options, families[family], slice(key), &value);
  if (status.IsNotFound()) return std::optional<Bytes>();
  if (!status.ok()) return failed("read", status);
  return std::optional(std::move(value));
}

static Status check_format(const std::string& directory, uint64_t format) {
  if (format == format_number) return {};
  const std::string has = "The store in " + directory + " has format " + std::to_string(format);
  if (format < format_number) {
    return base::failure(has + ", this server reads only " + std::to_string(format_number) +
                         "; begin with an empty data directory, or use the server that wrote it.");
  }
  return base::failure(has + ", this server knows up to " + std::to_string(format_number) +
                       "; use the newer server that wrote it.");
}

// An open makes the column families that are missing and cannot go without those that it does not know. So a
// store of another format must be found out before.
static Status check_unopened(const std::string& directory) {
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies({}, directory, &names).ok()) return {};  // the open will tell
  const std::set<std::string> there(names.begin(), names.end()),
      known(column_family_names.begin(), column_family_names.end());
  const char* sys = column_family_names[family_sys];
  if (there == known || !there.contains(sys)) return {};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  const std::vector<rocksdb::ColumnFamilyDescriptor> wanted{{column_family_names[family_default], {}},
                                                            {sys, {}}};
  if (!rocksdb::DB::OpenForReadOnly({}, directory, wanted, &handles, &raw).ok()) return {};
  const std::unique_ptr<rocksdb::DB> db(raw);
  Bytes value;
  const auto found = db->Get({}, handles[1], key_format, &value);
  for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  if (found.IsNotFound()) return {};  // was never opened whole
  const auto format = number_in(value);
  if (!found.ok() || !format) return unreadable("a format");
  return check_format(directory, *format);
}

Status RocksState::begin(const std::string& directory) {
  auto format = get(family_sys, key_format);
  if (!format) return base::fail(format.error());
  if (*format) {
    const auto n = number_in(**format);
    if (!n) return unreadable("a format");
    if (auto known = check_format(directory, *n); !known) return known;
  } else {
    rocksdb::WriteOptions synced;
    synced.sync = true;
    const auto put = db->Put(synced, families[family_sys], key_format, fixed(format_number));
    if (!put.ok()) return failed("begin", put);
  }
  auto bounds = get(family_sys, key_bounds);
  if (!bounds) return base::fail(bounds.error());
  if (*bounds) {
    const auto stored = bounds_in(**bounds);
    if (!stored) return unreadable("its bounds");
    bounds_stored = *stored;
  }
  versions = VersionBounds({bounds_stored.highest_version});
  feed_bytes = bounds_stored.feed_bytes;
  feed_gauge.set(static_cast<int64_t>(bounds_stored.feed_bytes));

  const auto out = iterate(family_out);
  out->SeekToLast();
  if (out->Valid()) feed_to = {base::key_u64(view(out->key())) + 1};
  if (!out->status().ok()) return failed("read", out->status());
  return {};
}

RocksStore::RocksStore(std::unique_ptr<RocksState> state) : state_(std::move(state)) {}
RocksStore::~RocksStore() = default;

Result<std::unique_ptr<RocksStore>> RocksStore::open(const std::string& directory, base::Registry& registry) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return base::failure("The store's directory " + directory + " cannot be made: " + error.message() + ".");
  }
  if (auto known = check_unopened(directory); !known) return base::fail(known.error());
  auto state = std::make_unique<RocksState>(registry);
  rocksdb::DB* db = nullptr;
  const auto opened = rocksdb::DB::Open(rocks_db_options(state->errors), directory,
                                        rocks_column_families(&state->step_age), &state->families, &db);
  state->db.reset(db);
  if (!opened.ok()) {
    return base::failure("The store in " + directory + " cannot be opened: " + opened.ToString() +
                         ". Is another server running on it, or was it made by a newer one?");
  }
  if (auto begun = state->begin(directory); !begun) return base::fail(begun.error());
  auto& step_age = state->step_age;
  std::unique_ptr<RocksStore> store(new RocksStore(std::move(state)));
  const auto checkpoints = store->checkpoints();
  if (!checkpoints) return base::fail(checkpoints.error());
  for (const auto& checkpoint : *checkpoints) step_age.reached(checkpoint.time);
  return store;
}

Status RocksStore::commit(const StoreBatch& batch) {
  if (auto background = state_->errors->check(); !background) return background;
  RocksWrite write(*state_);
  if (auto put = write.put(batch); !put) return put;
  if (auto written = write.write(); !written) return written;
  for (const auto& checkpoint : batch.checkpoints) state_->step_age.reached(checkpoint.time);
  return {};
}

Status RocksStore::sync() {
  if (auto background = state_->errors->check(); !background) return background;
  const auto status = state_->db->FlushWAL(true);
  if (!status.ok()) return failed("sync", status);
  return {};
}

Status RocksStore::compact() {
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  for (auto* handle : state_->families) {
    const auto status = state_->db->CompactRange(options, handle, nullptr, nullptr);
    if (!status.ok()) return failed("compact", status);
  }
  return {};
}

}  // namespace tidings::embedded
