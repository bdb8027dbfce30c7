// The embedded log's room on the disk: what it gives back, and what it does when there is none.
#include <utility>

#include "base/log_line.h"
#include "engine/embedded/embedded_log.h"

namespace tidings::embedded {
namespace {

constexpr auto watch_interval = std::chrono::seconds(1);

}  // namespace

void EmbeddedLog::trim(model::Position below) {
  uint64_t known = trim_below_.load();
  while (known < below.value && !trim_below_.compare_exchange_weak(known, below.value)) {
  }
  post(&EmbeddedLog::trim_step);
}

// One segment at a time, so that groups are written in between.
void EmbeddedLog::trim_step() {
  if (failed_ || !file_ || segments_.size() < 2) return;
  const SegmentHeader& second = segments_[1].header;
  if (second.first_position.value > trim_below_.load()) return;
  if (second.first_group == next_group_) return;  // the newest group stands in the first segment
  if (replay_ && replay_->segment == 0) return;   // still read; the replay comes back when it is through
  if (const auto removed = parts_.disk.remove(segments_.front().path); !removed) {
    base::log_warning("the log keeps a file that is not needed any more: {}", removed.error().sentence);
    return;
  }
  // Before the next one goes: whatever a power cut leaves is a log without a hole.
  if (const auto synced = parts_.disk.sync_directory(parts_.directory); !synced) {
    return fail(synced.error().sentence);
  }
  segments_.erase(segments_.begin());
  if (replay_) --replay_->segment;
  metrics_.trimmed.add();
  measure();
  post(&EmbeddedLog::trim_step);
}

void EmbeddedLog::measure() {
  uint64_t bytes = 0;
  for (const Segment& segment : segments_) bytes += segment.header.bytes;
  metrics_.disk_bytes.set(static_cast<int64_t>(bytes));
  metrics_.disk_segments.set(static_cast<int64_t>(segments_.size()));
}

std::optional<wire::Code> EmbeddedLog::refuses() const {
  return space_.is_full() ? std::optional(wire::Code::storage_full) : std::nullopt;
}

void EmbeddedLog::watch_later() {
  if (watch_timer_ != 0) return;
  watch_timer_ = parts_.executor.after(watch_interval, [this, alive = std::weak_ptr<const bool>(alive_)] {
    if (!alive.expired()) watch();
  });
}

void EmbeddedLog::watch() {
  watch_timer_ = 0;
  if (failed_ || !file_) return;
  space_.look();
  bool again = false;
  {
    base::MutexLock lock(mutex_);
    again = std::exchange(waits_for_room_, false);
  }
  if (again) write_next_group();
  if (space_.is_on()) watch_later();
}

// Nothing of the group was written: it stays the oldest, and what is appended meanwhile is refused.
void EmbeddedLog::wait_for_room(Group group) {
  bool closing = false;
  {
    base::MutexLock lock(mutex_);
    queue_.push_front(std::move(group));
    closing = static_cast<bool>(closed_);
    waits_for_room_ = !closing;
  }
  if (!closing) return watch_later();
  drop_queue();
  post(&EmbeddedLog::finish);
}

// Nobody heard of these records; their senders send them again.
void EmbeddedLog::drop_queue() {
  size_t records = 0;
  {
    base::MutexLock lock(mutex_);
    for (const Group& group : queue_) records += group.records.size();
    queue_.clear();
    queued_bytes_ = 0;
    metrics_.queue_bytes.set(0);
  }
  base::log_warning("the log closes without {} records for which the disk had no room", records);
}

}  // namespace tidings::embedded
