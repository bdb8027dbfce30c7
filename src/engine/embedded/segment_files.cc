#include "engine/embedded/segment_files.h"

#include <fmt/format.h>

namespace tidings::embedded {
namespace {

using base::Result;
using base::Status;
using ports::Disk;

// From here on the directory is changed.
Status settle(Disk& disk, const std::string& directory, LogSurvey& found) {
  for (const std::string& path : found.unfinished) {
    if (auto removed = disk.remove(path); !removed) return removed;
  }
  if (auto synced = disk.sync_directory(directory); !synced) return synced;
  if (found.segments.empty()) return {};

  const LogEnd& end = found.end;
  const SegmentHeader& header = found.segments.back().header;
  ports::File& last = *found.last;
  if (end.torn_bytes > 0) {
    if (auto cut = last.truncate(end.offset); !cut) return cut;
  }
  if (end.in_doubt) {
    // If its sync failed, it may stand in the system's cache alone and count as clean there: it is written
    // once more.
    auto group = last.read(end.last_offset, end.offset - end.last_offset);
    if (!group) return base::fail(group.error());
    if (auto written = last.write(end.last_offset, *group); !written) return written;
  }
  if (auto synced = last.sync(); !synced) return synced;
  if (end.torn_bytes > 0 || found.last_bytes < header.bytes) {
    auto reserved = last.allocate(header.bytes);
    if (!reserved) return base::fail(reserved.error());
    if (!*reserved) return base::failure(no_room(directory, header.bytes));
  }
  if (end.last_offset == 0) return {};
  return last.write(end.offset, encode_trailer(header.seed(), end.group - 1));
}

}  // namespace

std::string no_room(const std::string& directory, uint64_t bytes) {
  return fmt::format("the disk of {} has no room for a file of {} bytes: No space left on device", directory,
                     bytes);
}

Result<std::unique_ptr<ports::File>> make_segment(Disk& disk, const std::string& directory,
                                                  const SegmentHeader& header, base::BytesView groups) {
  const std::string path = directory + "/" + segment_name(header.number);
  const std::string draft = path + unfinished_suffix;
  auto file = disk.open(draft, Disk::Open::create_new);
  if (!file) return file;
  auto reserved = (*file)->allocate(header.bytes);
  if (!reserved) return base::fail(reserved.error());
  if (!*reserved) {
    file->reset();
    if (auto removed = disk.remove(draft); !removed) return base::fail(removed.error());
    return std::unique_ptr<ports::File>();
  }
  if (auto done = (*file)->write(0, encode(header)); !done) return base::fail(done.error());
  if (!groups.empty()) {
    if (auto done = (*file)->write(segment_header_bytes, groups); !done) return base::fail(done.error());
  }
  if (auto done = (*file)->sync(); !done) return base::fail(done.error());
  if (auto done = disk.rename(draft, path); !done) return base::fail(done.error());
  if (auto done = disk.sync_directory(directory); !done) return base::fail(done.error());
  return file;
}

Result<Recovered> recover(Disk& disk, const std::string& directory, model::Position known_below,
                          model::Position verify_from, const std::string& doctor) {
  auto found =
      survey_log(disk, directory, {.known_below = known_below, .verify_from = verify_from, .visit = {}});
  if (!found) return base::fail(found.error());
  if (found->cut_unfinished) {
    return base::failure(fmt::format(
        "a cut of the log in {} was begun and not finished; finish it with `{} --cut`", directory, doctor));
  }
  if (found->damage) {
    return base::failure(fmt::format(
        "the log is damaged: {}. Nothing was changed; put back a backup of the data directory, or "
        "the undamaged file; `{}` says what would be lost by cutting the log there",
        found->damage->what, doctor));
  }
  if (auto settled = settle(disk, directory, *found); !settled) return base::fail(settled.error());

  Recovered out;
  out.segments = std::move(found->segments);
  out.last = std::move(found->last);
  out.write_offset = found->end.offset;
  out.next_group = found->end.group;
  out.newest = found->end.newest;
  out.newest_time = found->end.newest_time;
  out.low = found->low;
  return out;
}

}  // namespace tidings::embedded
