// The content of one file of MemoryDisk, in its two lives.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "ports/random.h"

namespace tidings::memory {

// A change of one file since its last sync.
struct Change {
  uint64_t size_after;
  bool cuts = false;  // a truncation: what was beyond size_after reads as zeros if the file grows again
  uint64_t offset = 0;
  base::Bytes bytes;  // what a write wrote
};

struct Inode {
  base::Bytes data;     // what a process sees
  base::Bytes durable;  // what survives, but for `changes`
  std::vector<Change> changes;
  bool lost_a_sync = false;  // data differs from durable though nothing is pending

  void apply(Change change);
  void make_durable();
  // A sync failed: nothing will ever save these changes.
  void lose_changes();
  void power_cut(ports::Random& random);

 private:
  void keep_some(ports::Random& random);
  void keep_some_of(const Change& change, ports::Random& random);
};

}  // namespace tidings::memory
