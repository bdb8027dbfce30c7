#include "engine/embedded/store_marks.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include <rocksdb/db.h>

#include "engine/embedded/rocks_options.h"

namespace tidings::embedded {
namespace {

base::Fail<base::Failure> failed(const std::string& directory, const std::string& why) {
  return base::failure("The store in " + directory + " cannot be read: " + why + ".");
}

// A database opened for reading, with the two families that hold the marks: others may have come since.
struct Reading {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;  // default, checkpoint, sys
  ~Reading() {
    for (auto* handle : families) db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    if (db) db->Close().PermitUncheckedError();
  }
};

base::BytesView view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

}  // namespace

model::Position known_below(const std::vector<ports::Checkpoint>& checkpoints, model::Position low) {
  model::Position highest;
  for (const auto& checkpoint : checkpoints) highest = std::max(highest, checkpoint.position);
  return low.value > 0 ? std::max(highest, model::Position{low.value - 1}) : highest;
}

base::Result<StoreMarks> read_store_marks(const std::string& directory) {
  std::error_code error;
  if (!std::filesystem::exists(directory + "/CURRENT", error)) return StoreMarks();
  Reading reading;
  rocksdb::DB* db = nullptr;
  const auto all = rocks_column_families();
  const std::vector<rocksdb::ColumnFamilyDescriptor> wanted{all[family_default], all[family_checkpoint],
                                                            all[family_sys]};
  const auto opened =
      rocksdb::DB::OpenForReadOnly(rocksdb::DBOptions(), directory, wanted, &reading.families, &db);
  reading.db.reset(db);
  if (!opened.ok()) return failed(directory, opened.ToString());

  StoreMarks marks;
  const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator({}, reading.families[1]));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    base::Reader in(view(at->value()));
    ports::Checkpoint checkpoint;
    if (at->key().size() != 2) return failed(directory, "a checkpoint has a key that is none");
    checkpoint.partition.value =
        static_cast<uint16_t>(static_cast<uint8_t>(at->key()[0]) << 8 | static_cast<uint8_t>(at->key()[1]));
    checkpoint.position = {in.fixed<uint64_t>()};
    checkpoint.time = base::wall_from_ms(in.fixed<int64_t>());
    if (!in.ok()) return failed(directory, "a checkpoint is cut off");
    marks.checkpoints.push_back(checkpoint);
  }
  if (!at->status().ok()) return failed(directory, at->status().ToString());

  const auto get = [&](const char* key, base::Bytes& value) {
    const auto status = db->Get({}, reading.families[2], key, &value);
    return status.IsNotFound() ? rocksdb::Status::OK() : status;
  };
  base::Bytes low, highest, lineage;
  for (const auto& [key, value] : {std::pair("low", &low), {"bounds", &highest}, {"lineage", &lineage}}) {
    if (const auto status = get(key, *value); !status.ok()) return failed(directory, status.ToString());
  }
  if (!low.empty()) marks.low = {base::Reader(low).fixed<uint64_t>()};
  if (!highest.empty()) marks.highest_version = {base::Reader(highest).fixed<uint64_t>()};
  if (!lineage.empty()) marks.lineage = std::move(lineage);
  return marks;
}

}  // namespace tidings::embedded
