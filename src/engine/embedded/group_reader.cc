#include "engine/embedded/group_reader.h"

#include <algorithm>

namespace tidings::embedded {
namespace {

constexpr size_t window_bytes = 1u << 20;

}  // namespace

GroupReader::GroupReader(ports::File& file, const SegmentHeader& header)
    : file_(file), seed_(header.seed()), group_(header.first_group) {}

GroupReader::GroupReader(ports::File& file, const SegmentHeader& header, uint64_t offset, uint64_t group)
    : file_(file), seed_(header.seed()), group_(group), offset_(offset) {}

base::Result<std::optional<GroupReader::Group>> GroupReader::next(uint64_t limit) {
  const std::optional<Group> nothing;
  auto head = at_offset(group_header_bytes, limit);
  if (!head) return base::fail(head.error());
  const auto header = decode_group_header(*head, seed_);
  if (!header || header->number != group_) return nothing;
  if (limit - offset_ - group_header_bytes < header->body_bytes) return nothing;

  auto whole = at_offset(group_header_bytes + header->body_bytes, limit);
  if (!whole) return base::fail(whole.error());
  if (whole->size() < group_header_bytes + header->body_bytes) return nothing;
  const base::BytesView body = whole->substr(group_header_bytes);
  if (!body_is_whole(*header, body, seed_)) return nothing;

  const Group group{offset_, *header, body};
  offset_ += whole->size();
  ++group_;
  return std::optional(group);
}

base::Result<base::BytesView> GroupReader::at_offset(size_t size, uint64_t limit) {
  if (offset_ >= limit) return base::BytesView();
  size = static_cast<size_t>(std::min<uint64_t>(size, limit - offset_));
  if (offset_ < window_at_ || offset_ + size > window_at_ + window_.size()) {
    const size_t wanted =
        static_cast<size_t>(std::min<uint64_t>(std::max(size, window_bytes), limit - offset_));
    auto read = file_.read(offset_, wanted);
    if (!read) return base::fail(read.error());
    window_ = *std::move(read);
    window_at_ = offset_;
  }
  return base::BytesView(window_).substr(static_cast<size_t>(offset_ - window_at_), size);
}

}  // namespace tidings::embedded
