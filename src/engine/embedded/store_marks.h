// How far the store has folded the log: what a start and `tidings doctor` hold against the log.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "ports/store.h"

namespace tidings::embedded {

// The position that the log must reach: the highest one with a checkpoint, or passed by the low. (Records of
// the stream have no checkpoint of their own.)
model::Position known_below(const std::vector<ports::Checkpoint>& checkpoints, model::Position low);

struct StoreMarks {
  std::vector<ports::Checkpoint> checkpoints;
  model::Position low;                 // 0: nothing is folded
  model::Position highest_version;     // no state was written under a higher position
  std::optional<base::Bytes> lineage;  // encoded, as the store keeps it
};
// Reads them without changing a byte of the directory, which no server may have open. An empty store if there
// is none.
base::Result<StoreMarks> read_store_marks(const std::string& directory);

}  // namespace tidings::embedded
