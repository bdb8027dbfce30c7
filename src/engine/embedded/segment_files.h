// The files of one log directory: makes a segment so that it is whole or not there, and finds at a start
// where the log ends.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/embedded/log_survey.h"
#include "ports/disk.h"

namespace tidings::embedded {

// Reserves, writes and syncs the file under another name, then renames it and syncs the directory: a segment
// that has its name has a header (and what else was to stand in it), and its name survives power loss before
// anything more is written into it. Null if the disk has no room for it; then nothing has changed.
base::Result<std::unique_ptr<ports::File>> make_segment(ports::Disk& disk, const std::string& directory,
                                                        const SegmentHeader& header,
                                                        base::BytesView groups = {});
std::string no_room(const std::string& directory, uint64_t bytes);

// What a log that was found holds, and where the next group goes.
struct Recovered {
  std::vector<Segment> segments;      // none: there is no log yet
  std::unique_ptr<ports::File> last;  // the last of them
  uint64_t write_offset = 0;          // in it
  uint64_t next_group = 1;
  model::Position newest;  // 0: no record yet
  std::optional<base::WallTime> newest_time;
  std::optional<LogPlace> low;  // where a reader from verify_from or above may begin
};

// Surveys the directory, which must be locked, and makes it ready for writing: cuts a torn tail; refuses
// damage, before it changes anything, in a sentence that names file, offset and `doctor`, the command that
// tells more. When it returns, all that it found is synced: what a killed process had written but not synced
// counts from now on.
base::Result<Recovered> recover(ports::Disk& disk, const std::string& directory, model::Position known_below,
                                model::Position verify_from, const std::string& doctor);

}  // namespace tidings::embedded
