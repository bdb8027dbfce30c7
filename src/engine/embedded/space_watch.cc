#include "engine/embedded/space_watch.h"

#include <utility>

#include "base/log_line.h"

namespace tidings::embedded {
namespace {

constexpr size_t look_each_bytes = 16u << 20;

}  // namespace

SpaceWatch::SpaceWatch(ports::Disk& disk, std::string directory, uint64_t free_bytes_min, uint64_t room_bytes,
                       base::Registry& metrics)
    : disk_(disk),
      directory_(std::move(directory)),
      free_bytes_min_(free_bytes_min),
      room_bytes_(room_bytes),
      free_gauge_(metrics.gauge("tidings_embedded_log_free_bytes", "Free bytes of the disk of the log.")),
      full_gauge_(metrics.gauge("tidings_embedded_log_storage_full",
                                "1 while writes are refused because the disk is full.")) {}

void SpaceWatch::look() {
  written_since_ = 0;
  if (!is_on()) return;
  const auto free = disk_.free_bytes(directory_);
  if (!free) {
    if (!std::exchange(unanswered_, true)) base::log_warning("{}", free.error().sentence);
    return;
  }
  unanswered_ = false;
  free_bytes_ = *free;
  free_gauge_.set(static_cast<int64_t>(free_bytes_));
  is_low_ = free_bytes_ < free_bytes_min_ || free_bytes_ - free_bytes_min_ < room_bytes_;
  tell();
}

void SpaceWatch::on_written(size_t bytes) {
  written_since_ += bytes;
  if (written_since_ >= look_each_bytes) look();
}

void SpaceWatch::on_reserved(bool reserved) {
  no_room_ = !reserved;
  tell();
}

void SpaceWatch::tell() {
  const bool full = is_low_ || no_room_;
  if (full_.exchange(full, std::memory_order_relaxed) == full) return;
  full_gauge_.set(full ? 1 : 0);
  if (!full) {
    base::log_info("the disk of {} has room again: writes are accepted", directory_);
  } else if (no_room_) {
    base::log_error(
        "writes are refused: the disk of {} has no room for the next {} bytes of the log. Reading "
        "goes on; writes go on by themselves when there is room",
        directory_, room_bytes_);
  } else {
    base::log_error(
        "writes are refused: the disk of {} has {} bytes free, and {} (storage.free_bytes_min) "
        "must stay free besides {} for the log. Reading goes on; writes go on by themselves when "
        "there is room",
        directory_, free_bytes_, free_bytes_min_, room_bytes_);
  }
}

}  // namespace tidings::embedded
