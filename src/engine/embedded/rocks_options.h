// How RocksDB is set up for the store: column families in a fixed order, and modest tuning.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include <rocksdb/db.h>

namespace tidings::embedded {

// Index into column_family_names and into the handles that DB::Open returns.
enum ColumnFamily : size_t {
  family_default,
  family_state,
  family_chunk,
  family_entry,
  family_list,
  family_checkpoint,
  family_sys
};
inline constexpr std::array column_family_names{"default", "state",      "chunk", "entry_single",
                                                "list",    "checkpoint", "sys"};

rocksdb::DBOptions rocks_db_options(std::shared_ptr<rocksdb::EventListener> listener);
std::vector<rocksdb::ColumnFamilyDescriptor> rocks_column_families();

}  // namespace tidings::embedded
