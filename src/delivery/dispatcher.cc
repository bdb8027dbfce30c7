#include "delivery/dispatcher.h"

#include <algorithm>

#include "base/check.h"
#include "base/seed_bug.h"

namespace tidings::delivery {

void Dispatcher::start(const std::vector<ports::Checkpoint>& checkpoints) {
  for (size_t p = 0; p < partitions_.size(); ++p) {
    partitions_[p].checkpoint.partition = {static_cast<uint16_t>(p)};
  }
  for (const auto& c : checkpoints) {
    if (c.partition.value >= partitions_.size()) continue;
    auto& p = partitions_[c.partition.value];
    p.checkpoint = c;
    p.time = c.time;
    p.position = c.position;
    version_ = std::max(version_, c.fold_version);
  }
}

bool Dispatcher::before_checkpoint(const ports::LogRecord& record) const {
  return record.position <= partitions_[record.partition.value].checkpoint.position;
}

fold::Place Dispatcher::place(const ports::LogRecord& record) {
  auto& p = partitions_[record.partition.value];
  // An id holds the time and the position's lowest 12 bits: within one time the block of 4,096 must not
  // change.
  base::WallTime t = std::max(record.time, p.time);
  if (t == p.time && record.position.value >> 12 != p.position.value >> 12) t += base::milliseconds(1);
  p.time = t;
  p.position = record.position;
  return {record.position, record.partition, t, record.time, version_};
}

uint64_t Dispatcher::suspend(const fold::Place& place) {
  under_way_.push_back({place, TIDINGS_SEED_BUG(31)});
  return first_ticket_ + under_way_.size() - 1;
}

void Dispatcher::folded(const fold::Place& place, uint64_t ticket) {
  if (ticket == 0) {
    TIDINGS_CHECK(under_way_.empty());
    pass(place);
    return;
  }
  if (TIDINGS_SEED_BUG(31) && ticket < first_ticket_) return;
  TIDINGS_CHECK(ticket >= first_ticket_ && ticket - first_ticket_ < under_way_.size());
  under_way_[ticket - first_ticket_].folded = true;
  pass_front();
}

void Dispatcher::pass_front() {
  while (!under_way_.empty() && under_way_.front().folded) {
    pass(under_way_.front().place);
    under_way_.pop_front();
    ++first_ticket_;
  }
}

void Dispatcher::pass(const fold::Place& place) {
  auto& checkpoint = partitions_[place.partition.value].checkpoint;
  checkpoint.position = place.position;
  checkpoint.time = place.time;
  checkpoint.fold_version = place.fold_version;
  note_changed(place.partition.value);
}

model::Position Dispatcher::folded_below(model::Position handed_out) const {
  return under_way_.empty() ? handed_out : under_way_.front().place.position;
}

void Dispatcher::add_hash(model::PartitionId partition, uint64_t difference) {
  partitions_[partition.value].checkpoint.hash += difference;
  note_changed(partition.value);
}

void Dispatcher::note_changed(uint16_t partition) {
  auto& p = partitions_[partition];
  if (p.changed) return;
  p.changed = true;
  changed_.push_back(partition);
}

std::vector<ports::Checkpoint> Dispatcher::take_changed_checkpoints() {
  std::vector<ports::Checkpoint> out;
  out.reserve(changed_.size());
  for (const uint16_t i : changed_) {
    auto& p = partitions_[i];
    p.changed = false;
    out.push_back(p.checkpoint);
    if (TIDINGS_SEED_BUG(13)) out.back().time = p.time;
  }
  changed_.clear();
  return out;
}

}  // namespace tidings::delivery
