#include "test/faults/found_log.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/embedded/log_format.h"

namespace tidings::faults {

namespace format = embedded;

Files read_files(const std::string& directory) {
  Files files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[entry.path().filename()] = {std::istreambuf_iterator<char>(file), {}};
  }
  return files;
}

std::vector<FoundSegment> find_log(const Files& files) {
  std::vector<FoundSegment> segments;
  for (const auto& [name, content] : files) {
    if (!format::segment_number(name)) continue;
    const base::BytesView bytes(content);
    const auto header = format::decode_segment_header(bytes.substr(0, format::segment_header_bytes));
    if (!header.ok()) break;
    FoundSegment segment{name, {}, format::segment_header_bytes, false};
    uint64_t number = header->first_group;
    for (;; ++number) {
      const base::BytesView here = bytes.substr(std::min<size_t>(segment.end, bytes.size()));
      const auto group = format::decode_group_header(here, header->seed());
      if (!group || group->number != number) break;
      const base::BytesView body = here.substr(format::group_header_bytes).substr(0, group->body_bytes);
      const auto records = format::body_is_whole(*group, body, header->seed())
                               ? format::decode_records(*group, body, header->seed())
                               : std::nullopt;
      if (!records) break;
      FoundGroup found{segment.end, format::group_header_bytes + group->body_bytes, {}};
      for (const auto& view : *records) {
        found.records.push_back({view.position, view.partition, view.time, base::Bytes(view.payload)});
      }
      segment.end += found.bytes;
      segment.groups.push_back(std::move(found));
    }
    const auto trailer =
        format::decode_trailer(bytes.substr(std::min<size_t>(segment.end, bytes.size())), header->seed());
    segment.vouched = trailer && *trailer + 1 == number;
    segments.push_back(std::move(segment));
  }
  return segments;
}

}  // namespace tidings::faults
