// Reads the groups of one segment in order, through a window of a few MiB.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "engine/embedded/log_format.h"
#include "ports/disk.h"

namespace tidings::embedded {

class GroupReader {
 public:
  // The file outlives it and is at its header's end, in front of the header's first group.
  GroupReader(ports::File& file, const SegmentHeader& header);
  // Starts at the group that begins at `offset`.
  GroupReader(ports::File& file, const SegmentHeader& header, uint64_t offset, uint64_t group);

  struct Group {
    uint64_t offset;
    GroupHeader header;
    base::BytesView body;  // until the next call
  };
  // The group that comes next if it stands whole below `limit`, and moves behind it; else nothing, and stays.
  // Bytes below `limit` must not change any more.
  base::Result<std::optional<Group>> next(uint64_t limit);

  // Where the next group begins, and which it is.
  uint64_t offset() const { return offset_; }
  uint64_t group() const { return group_; }
  uint32_t seed() const { return seed_; }

 private:
  // `size` bytes at offset_, or fewer if the file or the limit ends before.
  base::Result<base::BytesView> at_offset(size_t size, uint64_t limit);

  ports::File& file_;
  uint32_t seed_;
  uint64_t group_;
  uint64_t offset_ = segment_header_bytes;
  base::Bytes window_;
  uint64_t window_at_ = 0;
};

}  // namespace tidings::embedded
