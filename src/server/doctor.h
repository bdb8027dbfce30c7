// What `tidings doctor` knows and does: reads a data directory as a start would, says what is wrong with its
// log and what cutting there would lose, and cuts when it is told to.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"

namespace tidings::server {

// Records that were found whole.
struct RecordCount {
  uint64_t groups = 0, records = 0;
  model::Position first, last;  // 0: there are none
  base::WallTime first_time{}, last_time{};
  uint64_t lineages = 0;
};

// What a start refuses.
struct Damage {
  std::string what;                // file, offset and group
  std::vector<std::string> files;  // that are moved aside by a cut
  uint64_t kept_bytes = 0;         // of the first of them; the rest of it, and all others, are cut off
  RecordCount above;               // whole behind the damage
  uint64_t stored_records = 0;     // of these, in the store already: not lost
  RecordCount lost;                // of these, the others
  uint64_t unreadable_groups = 0;  // at least
  uint64_t unreadable_bytes = 0;
};

struct Diagnosis {
  std::string log, store;  // directories
  uint64_t segments = 0;   // files with the name of one
  uint64_t bytes = 0;      // of them
  RecordCount whole;       // up to the end or the damage
  uint64_t stored_lineages = 0;
  uint64_t checkpoints = 0;             // of partitions
  model::Position low;                  // the store needs all records from here; 0: it is empty
  model::Position folded;               // the newest record that the store has
  std::string newest_path;              // of the last segment that is whole so far
  uint64_t torn_bytes = 0;              // at its end: a start cuts them
  std::vector<std::string> old_damage;  // sentences: damage below the low, which a start does not read
  std::optional<Damage> damage;
};

// Holds the directory's locks, so that no server starts meanwhile.
class Doctor {
 public:
  // Reads everything, changes nothing (but for the file `lock`). Fails with a plain sentence if a server runs
  // on the directory, if it is none, or if the disk fails.
  static base::Result<std::unique_ptr<Doctor>> examine(const std::string& data);
  ~Doctor();

  const Diagnosis& diagnosis() const;

  // Only after damage: moves what is damaged and all above it aside, synced. Afterwards a start works, its
  // first record is a lineage `restore`, and no position is given twice.
  struct Cut {
    std::string aside;     // where the files went; "" if there were none to move
    model::Position base;  // the first position after the cut
  };
  base::Result<Cut> cut();

 private:
  struct State;
  explicit Doctor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tidings::server
