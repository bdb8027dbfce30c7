#include "engine/embedded/rocks_options.h"

#include <algorithm>

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
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

static rocksdb::ColumnFamilyOptions family(const std::shared_ptr<rocksdb::Cache>& cache,
                                           size_t write_buffer_bytes, bool bloom, bool compressed) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  if (bloom) table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = write_buffer_bytes;
  options.level_compaction_dynamic_level_bytes = true;
  const auto supported = rocksdb::GetSupportedCompressions();
  const bool lz4 = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  options.compression = compressed && lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> rocks_column_families() {
  const auto cache = rocksdb::NewLRUCache(64u << 20);
  std::vector<rocksdb::ColumnFamilyDescriptor> out;
  for (size_t i = 0; i < column_family_names.size(); ++i) {
    // Only state and entry_single are asked for keys that may not be there; only they and chunk hold much.
    const bool point = i == family_state || i == family_entry;
    const bool large = i == family_state || i == family_chunk;
    out.emplace_back(column_family_names[i], family(cache, large ? 32u << 20 : 8u << 20, point, large));
  }
  return out;
}

}  // namespace tidings::embedded
