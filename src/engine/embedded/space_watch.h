// Watches the free space of the disk that the log is on, so that writes are refused while there is still room
// to go on reading, flushing and stopping (protocol.md §1 "Failure").
#pragma once

#include <atomic>
#include <string>

#include "base/metrics.h"
#include "ports/disk.h"

namespace tidings::embedded {

// is_full(): any thread. The rest: the log's executor, and may block.
class SpaceWatch {
 public:
  // Full is less than `free_bytes_min` besides `room_bytes` for the next segment. A minimum of 0 switches the
  // watch off: then only a segment that finds no room tells.
  SpaceWatch(ports::Disk& disk, std::string directory, uint64_t free_bytes_min, uint64_t room_bytes,
             base::Registry& metrics);

  bool is_on() const { return free_bytes_min_ > 0; }
  bool is_full() const { return full_.load(std::memory_order_relaxed); }

  // Asks the disk. If it does not answer, things stay as they were.
  void look();
  // Counts what was written since the last look; looks if it is much.
  void on_written(size_t bytes);
  // Whether room for a segment could be reserved, the last time that it was tried.
  void on_reserved(bool reserved);

 private:
  void tell();

  ports::Disk& disk_;
  const std::string directory_;
  const uint64_t free_bytes_min_;
  const uint64_t room_bytes_;
  base::Gauge& free_gauge_;
  base::Gauge& full_gauge_;
  uint64_t free_bytes_ = 0;
  size_t written_since_ = 0;
  bool is_low_ = false;
  bool no_room_ = false;
  bool unanswered_ = false;
  std::atomic<bool> full_{false};
};

}  // namespace tidings::embedded
