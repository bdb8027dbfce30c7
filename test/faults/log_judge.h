// Opens a log that was cut or changed, in memory and with the server's own recovery, and says whether what
// comes out is right.
#pragma once

#include <optional>
#include <string>

#include "test/faults/found_log.h"

namespace tidings::faults {

class LogJudge {
 public:
  // What the undamaged log holds.
  explicit LogJudge(Files files);

  // The same with a trailer behind the last group, or without one.
  LogJudge with_trailer(bool there) const;

  const Files& files() const { return files_; }
  const std::vector<FoundSegment>& segments() const { return segments_; }
  const std::vector<ports::LogRecord>& records() const { return records_; }
  const std::string& last() const { return segments_.back().name; }
  // Records in groups that end at or before this byte of the last file.
  size_t records_until(uint64_t offset) const;

  // What may happen when a damaged copy is opened: it is refused, or it opens with the first so many records.
  struct Allowed {
    bool refused = false;
    std::optional<size_t> records, or_records;
  };
  // "", or what went wrong. `known_below` as in the server: what the store folded. `and_append`: one more
  // record is appended, and must be there after another opening.
  std::string open(const Files& damaged, const Allowed& allowed, model::Position known_below,
                   bool and_append) const;

  uint64_t refused() const { return refused_; }
  uint64_t opened() const { return opened_; }

 private:
  Files files_;
  std::vector<FoundSegment> segments_;
  std::vector<ports::LogRecord> records_;
  mutable uint64_t refused_ = 0, opened_ = 0;
};

}  // namespace tidings::faults
