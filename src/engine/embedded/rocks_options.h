// How RocksDB is set up for the store: column families in a fixed order, and modest tuning.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>

namespace tidings::embedded {

// Index into column_family_names and into the handles that DB::Open returns.
enum ColumnFamily : size_t {
  family_default,
  family_state,
  family_part,
  family_chunk,
  family_entry,
  family_entry_block,
  family_step,
  family_list,
  family_out,
  family_damaged,
  family_checkpoint,
  family_sys
};
inline constexpr std::array column_family_names{"default",      "state",       "part",       "chunk",
                                                "entry_single", "entry_block", "step",       "list",
                                                "out",          "damaged",     "checkpoint", "sys"};

rocksdb::DBOptions rocks_db_options(std::shared_ptr<rocksdb::EventListener> listener);
std::vector<rocksdb::ColumnFamilyDescriptor> rocks_column_families(
    const rocksdb::CompactionFilter* steps = nullptr);  // says which steps go; must outlive the database

}  // namespace tidings::embedded
