#include "engine/embedded/rocks_options.h"

#include <algorithm>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

namespace tidings::embedded {

rocksdb::DBOptions rocks_db_options(std::shared_ptr<rocksdb::EventListener> listener) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  // After a power cut the log repeats whatever follows the last whole batch.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // A background error ends the process; nothing is resumed behind its back.
  options.max_bgerror_resume_count = 0;
  // What a restart has to read again.
  options.max_total_wal_size = 64u << 20;
  // There is one writer.
  options.allow_concurrent_memtable_write = false;
  options.enable_write_thread_adaptive_yield = false;
  options.max_background_jobs = 2;
  options.bytes_per_sync = 1u << 20;
  options.max_open_files = 512;
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.listeners.push_back(std::move(listener));
  return options;
}

namespace {

struct Shape {
  bool large = false;         // holds much: larger buffers, compressed
  bool asked_by_key = false;  // for keys that may not be there: a filter of whole keys
  size_t prefix_bytes = 0;    // asked by a prefix that may not be there: a filter of prefixes
};

Shape shape_of(size_t family) {
  constexpr size_t conversation = 16, conversation_and_user = 24;
  switch (family) {
    case family_state:
      return {.large = true, .asked_by_key = true};
    // Most conversations have no parts: to find that out must cost no read.
    case family_part:
      return {.large = true, .asked_by_key = true, .prefix_bytes = conversation};
    case family_chunk:
      return {.large = true};
    case family_entry:
      return {.asked_by_key = true};
    case family_entry_block:
      return {.large = true, .prefix_bytes = conversation_and_user};
    case family_step:
      return {.prefix_bytes = conversation_and_user};
    case family_out:
      return {.large = true};
    default:
      return {};
  }
}

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache,
                                            const Shape& shape) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  if (shape.asked_by_key || shape.prefix_bytes) table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = shape.asked_by_key;
  rocksdb::ColumnFamilyOptions options;
  if (shape.prefix_bytes)
    options.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(shape.prefix_bytes));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = shape.large ? 32u << 20 : 8u << 20;
  options.level_compaction_dynamic_level_bytes = true;
  const auto supported = rocksdb::GetSupportedCompressions();
  const bool lz4 = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  options.compression = shape.large && lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  return options;
}

}  // namespace

std::vector<rocksdb::ColumnFamilyDescriptor> rocks_column_families(const rocksdb::CompactionFilter* steps) {
  const auto cache = rocksdb::NewLRUCache(64u << 20);
  std::vector<rocksdb::ColumnFamilyDescriptor> out;
  for (size_t i = 0; i < column_family_names.size(); ++i) {
    out.emplace_back(column_family_names[i], family_options(cache, shape_of(i)));
  }
  auto& step = out[family_step].options;
  step.compaction_filter = steps;
  // So that old steps go where nothing is written any more, too.
  step.periodic_compaction_seconds = 7 * 24 * 60 * 60;
  return out;
}

}  // namespace tidings::embedded
