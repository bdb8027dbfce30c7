// What stands in a log directory, found without changing anything: what a start builds on, and what
// `tidings doctor` tells people.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/embedded/group_reader.h"
#include "ports/disk.h"

namespace tidings::embedded {

inline constexpr const char* unfinished_suffix = ".new";     // a segment that was being made
inline constexpr const char* kept_suffix = ".kept";          // the whole part of a segment that is being cut
inline constexpr const char* cut_marker = "cut-unfinished";  // stands in the directory during a cut

struct Segment {
  std::string path;
  SegmentHeader header;
};

// A file with the name of a segment, whatever stands in it.
struct LogFile {
  std::string path;
  uint64_t number = 0;
  uint64_t bytes = 0;
  std::optional<SegmentHeader> header;  // nothing if it is none
};

// Where a start would stop and refuse.
struct LogDamage {
  std::string what;         // the beginning of a sentence, with file and offset
  size_t file = 0;          // index of the first file that is not whole; all above it go with it
  uint64_t keep_bytes = 0;  // of that file: header and whole groups; 0: nothing
  uint64_t next_group = 1;  // the first group that is not kept
};

// The end of what is whole.
struct LogEnd {
  uint64_t offset = segment_header_bytes;  // in the last segment
  uint64_t group = 1;                      // the next
  uint64_t last_offset = 0;                // of the last whole group; 0 if the last segment has none
  bool in_doubt = false;                   // no trailer says that the last whole group was synced
  uint64_t torn_bytes = 0;                 // behind it, up to the last byte that is not zero
  model::Position newest;                  // 0: no record yet
  std::optional<base::WallTime> newest_time;
};

// Where reading may begin: the first group that was found with a record at or above verify_from.
struct LogPlace {
  uint64_t segment = 0;  // its number
  uint64_t offset = segment_header_bytes;
  uint64_t group = 1;
};

struct LogSurvey {
  std::vector<LogFile> files;           // by number
  std::vector<Segment> segments;        // of the first of them, as long as each follows the one before
  std::vector<std::string> unfinished;  // paths
  bool cut_unfinished = false;
  std::unique_ptr<ports::File> last;  // of the last segment
  uint64_t last_bytes = 0;
  LogEnd end;
  std::optional<LogPlace> low;
  std::optional<LogDamage> damage;
  std::vector<std::string> old_damage;  // sentences; in segments that a start does not read
};

struct SurveyOptions {
  model::Position known_below{};  // the highest position that the store has folded: the log must reach it
  model::Position verify_from{};  // the store's low: the log must have all from here
  bool old_segments = false;      // reads through those wholly below verify_from, too
  // Every whole group that is read, in order.
  std::function<void(const Segment&, const GroupReader::Group&, const std::vector<RecordView>&)> visit;
};
// Fails only where the disk does.
base::Result<LogSurvey> survey_log(ports::Disk& disk, const std::string& directory,
                                   const SurveyOptions& options);

// The whole groups that stand above the damage, file by file. `unreadable` counts bytes that are neither zero
// nor in one of them.
base::Status read_above_damage(
    ports::Disk& disk, const LogSurvey& survey,
    const std::function<void(const LogFile&, const GroupHeader&, const std::vector<RecordView>&)>& visit,
    uint64_t& unreadable_bytes);

}  // namespace tidings::embedded
