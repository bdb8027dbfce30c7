// The families of cases of `faults disk`.
#pragma once

#include "test/faults/runs.h"
#include "test/faults/tally.h"

namespace tidings::faults {

// How much of each family; count 0: its usual amount.
enum class Amount { quick, usual, full };
struct DiskOptions : Options {
  Amount amount = Amount::usual;
};

// The n-th fdatasync of the log's thread fails.
void sync_fails(const DiskOptions& options, Tally& tally);
// The process is killed at the k-th call, for each call that changes a disk, in each thread that makes it.
void killed_at_calls(const DiskOptions& options, Tally& tally);
// The same at a start.
void killed_at_starts(const DiskOptions& options, Tally& tally);
// No room any more, then room again.
void disk_full(const DiskOptions& options, Tally& tally);
// A copy of the log is cut, or a bit of it is flipped, and opened.
void log_cut(const DiskOptions& options, Tally& tally);
void log_flipped(const DiskOptions& options, Tally& tally);

}  // namespace tidings::faults
