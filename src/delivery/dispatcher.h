// Fixes time and place of every record in position order, and knows how far a shard's partitions are folded:
// suspended conversations are overtaken by others, and no checkpoint passes a record that is not folded
// (protocol.md §2 "Dispatch").
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "fold/fold.h"
#include "ports/log.h"
#include "ports/store.h"

namespace tidings::delivery {

class Dispatcher {
 public:
  void start(const std::vector<ports::Checkpoint>& checkpoints);

  // The record stands at or below its partition's checkpoint: it was folded and written by an earlier run.
  bool before_checkpoint(const ports::LogRecord& record) const;
  // The fold version in force from here on (protocol.md §2 "Versions"). Call in position order.
  void set_version(uint32_t version) { version_ = version; }
  // The place of the next record. Call in position order, once per record.
  fold::Place place(const ports::LogRecord& record);
  // A placed record waits: its ticket. Without suspended records none is needed: folded() with ticket 0.
  uint64_t suspend(const fold::Place& place);
  bool anything_suspended() const { return !under_way_.empty(); }
  // Records that overtook the oldest suspended one, itself included.
  size_t under_way() const { return under_way_.size(); }
  // The record is folded. Its partition's checkpoint moves once nothing before it is under way.
  void folded(const fold::Place& place, uint64_t ticket);

  // All records of this shard below are folded; `handed_out` = what the log gave so far.
  model::Position folded_below(model::Position handed_out) const;

  // The partition's hash changed by this much.
  void add_hash(model::PartitionId partition, uint64_t difference);
  uint64_t hash(model::PartitionId partition) const { return partitions_[partition.value].checkpoint.hash; }
  // The partition's checkpoint must be written again.
  void note_changed(model::PartitionId partition) { note_changed(partition.value); }
  bool any_checkpoint_changed() const { return !changed_.empty(); }
  // Checkpoints that changed since the last call, for a flush.
  std::vector<ports::Checkpoint> take_changed_checkpoints();

 private:
  struct Partition {
    ports::Checkpoint checkpoint;
    base::WallTime time{};     // of the newest record dispatched
    model::Position position;  // likewise
    bool changed = false;
  };
  struct UnderWay {
    fold::Place place;
    bool folded = false;
  };
  void pass(const fold::Place& place);
  void pass_front();
  void note_changed(uint16_t partition);

  std::array<Partition, model::partition_count> partitions_{};
  std::vector<uint16_t> changed_;
  std::deque<UnderWay> under_way_;  // in position order; the front is not folded
  uint64_t first_ticket_ = 1;       // of the front
  uint32_t version_ = 1;
};

}  // namespace tidings::delivery
