// The rest of B8: the fold alone, and what a message costs in keys and bytes of the store.
#pragma once

#include <cstdint>

namespace tidings::bench {

struct StoreCost {
  double keys_per_message = 0;
  double bytes_per_message = 0;  // keys and values as handed to RocksDB, before its log and compaction
  double messages_per_second = 0;
};

// Plain messages of one conversation through fold::fold, already decoded; records/s on one core.
double run_fold(uint64_t messages);

// `messages` of 100 bytes, spread evenly over `conversations`, through a delivery shard into RocksDB in a
// temporary directory, in log groups of 512 with the flushes that come of themselves.
StoreCost run_store(uint64_t conversations, uint64_t messages);

}  // namespace tidings::bench
