// The bytes of the log's files; docs/formats/log.md is the same in prose. Pure functions over bytes: nothing
// that stands in a file can make them fail otherwise than by saying so.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"
#include "ports/log.h"

namespace tidings::embedded {

inline constexpr uint32_t log_format_version = 1;
inline constexpr size_t segment_header_bytes = 4096;  // a page of its own: no later write touches it
inline constexpr size_t group_header_bytes = 24;
inline constexpr size_t record_header_bytes = 28;
inline constexpr size_t trailer_bytes = 16;

struct SegmentHeader {
  uint64_t number = 1;             // 1 is the first; no gaps between those that are kept
  uint64_t id = 0;                 // random
  uint64_t bytes = 0;              // size of the file
  uint64_t base = 0;               // where positions began anew last; 0: they never did
  uint64_t first_group = 1;        // number of the first group in it
  model::Position first_position;  // its records stand at or above, those of earlier segments below
  base::WallTime newest_time{};    // of all earlier records; 0 if there are none

  // What seeds every checksum in the segment: bytes of another one, or bytes that a client made up, never
  // fit.
  uint32_t seed() const { return static_cast<uint32_t>(id ^ id >> 32); }
};
base::Bytes encode(const SegmentHeader& header);
// Why it is none, as the end of a sentence.
base::Result<SegmentHeader> decode_segment_header(base::BytesView block);

// "0000000001.log" and back; nothing for other names.
std::string segment_name(uint64_t number);
std::optional<uint64_t> segment_number(const std::string& name);

struct GroupHeader {
  uint64_t number = 0;
  uint32_t body_bytes = 0;
  uint32_t records = 0;
  uint32_t body_crc = 0;
};
// Bytes of one record in a group.
inline size_t encoded_bytes(size_t payload_bytes) {
  return record_header_bytes + payload_bytes;
}
// Writes the whole group, header and records, over the beginning of `out` (which only grows, to be used
// again); returns its size.
size_t encode_group(base::Bytes& out, uint32_t seed, uint64_t number,
                    std::span<const ports::LogRecord> records);
// The header at the beginning of `bytes`, if one is there whole.
std::optional<GroupHeader> decode_group_header(base::BytesView bytes, uint32_t seed);
bool body_is_whole(const GroupHeader& header, base::BytesView body, uint32_t seed);

// A record that still stands in the buffer it was read into.
struct RecordView {
  model::Position position;
  base::WallTime time;
  model::PartitionId partition;
  base::BytesView payload;
};
// The records of a body that is whole; nothing if they are not what the header says.
std::optional<std::vector<RecordView>> decode_records(const GroupHeader& header, base::BytesView body,
                                                      uint32_t seed);

base::Bytes encode_trailer(uint32_t seed, uint64_t group_number);
// The group number of the trailer at the beginning of `bytes`, if one is there whole.
std::optional<uint64_t> decode_trailer(base::BytesView bytes, uint32_t seed);

bool all_zero(base::BytesView bytes);
// Without the zeros at the end.
size_t bytes_until_zeros(base::BytesView bytes);
// The group that begins with the first byte, if it stands there whole and has a number from `min` to `max`.
std::optional<GroupHeader> whole_group_at(base::BytesView bytes, uint32_t seed, uint64_t min, uint64_t max);
// Where the first whole group numbered `min` or higher begins, looking at every byte; npos if there is none.
size_t find_whole_group(base::BytesView bytes, uint32_t seed, uint64_t min);

// What stands behind the last whole group of the last segment, `rest` being all bytes from there.
enum class Tail {
  clean,    // nothing was written there, or only the trailer
  torn,     // the remains of a group that was never synced
  damaged,  // a later group or trailer is whole: what should stand here was synced once
};
Tail judge_tail(base::BytesView rest, uint32_t seed, uint64_t next_group);

}  // namespace tidings::embedded
