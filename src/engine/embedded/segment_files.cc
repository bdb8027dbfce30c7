#include "engine/embedded/segment_files.h"

#include <fmt/format.h>

#include "engine/embedded/group_reader.h"

namespace tidings::embedded {
namespace {

using base::Failure;
using base::Result;
using base::Status;
using ports::Disk;

constexpr base::BytesView unfinished = ".new";

base::Fail<Failure> damage(const std::string& what) {
  return base::failure(
      fmt::format("the log is damaged: {}. Nothing was changed; put back a backup of the data directory, or "
                  "the undamaged file",
                  what));
}

// Where one segment's whole groups end.
struct End {
  uint64_t offset = segment_header_bytes;
  uint64_t group = 1;        // the next
  uint64_t last_offset = 0;  // of the last whole group; 0 if there is none
  bool in_doubt = false;     // no trailer says that the last whole group was synced
  bool torn = false;
};

class Recovery {
 public:
  Recovery(Disk& disk, const std::string& directory) : disk_(disk), directory_(directory) {}

  Result<Recovered> run(model::Position known_below, model::Position verify_from) {
    if (auto found = find_segments(); !found) return base::fail(found.error());
    for (size_t i = 0; i + 1 < out_.segments.size(); ++i) {
      if (out_.segments[i + 1].header.first_position <= verify_from) continue;
      if (auto whole = verify(i); !whole) return base::fail(whole.error());
    }
    End end;
    if (!out_.segments.empty()) {
      if (auto found = find_end(end); !found) return base::fail(found.error());
    }
    if (out_.newest < known_below) {
      return damage(
          fmt::format("the log in {} ends at record {}, but record {} was already folded into the store",
                      directory_, out_.newest.value, known_below.value));
    }
    if (auto settled = settle(end); !settled) return base::fail(settled.error());
    return std::move(out_);
  }

 private:
  Status find_segments() {
    auto names = disk_.list(directory_);
    if (!names) return base::fail(names.error());
    for (const std::string& name : *names) {
      if (name.ends_with(unfinished) && segment_number(name.substr(0, name.size() - unfinished.size()))) {
        unfinished_.push_back(directory_ + "/" + name);
      }
      const auto number = segment_number(name);
      if (!number) continue;
      const std::string path = directory_ + "/" + name;
      if (*number != out_.segments.size() + 1) {
        return damage(
            fmt::format("{} is there, but {} is missing", path, segment_name(out_.segments.size() + 1)));
      }
      if (auto taken = take_segment(path, *number); !taken) return taken;
    }
    return {};
  }

  Status take_segment(const std::string& path, uint64_t number) {
    auto file = disk_.open(path, Disk::Open::existing);
    if (!file) return base::fail(file.error());
    auto block = (*file)->read(0, segment_header_bytes);
    if (!block) return base::fail(block.error());
    const auto header = decode_segment_header(*block);
    if (!header) return damage(fmt::format("{} at byte 0: {}", path, header.error().sentence));
    auto size = (*file)->size();
    if (!size) return base::fail(size.error());
    if (header->number != number || *size > header->bytes) {
      return damage(fmt::format("{} at byte 0: it is another file than its header says", path));
    }
    if (!out_.segments.empty()) {
      const SegmentHeader& before = out_.segments.back().header;
      if (header->first_group < before.first_group || header->first_position < before.first_position) {
        return damage(fmt::format("{} at byte 0: it does not follow the segment before it", path));
      }
    }
    out_.segments.push_back({path, *header});
    out_.last = *std::move(file);
    last_size_ = *size;
    return {};
  }

  // A segment that is not the last: all its groups were synced before the next was made.
  Status verify(size_t index) {
    const Segment& segment = out_.segments[index];
    auto file = disk_.open(segment.path, Disk::Open::existing);
    if (!file) return base::fail(file.error());
    auto size = (*file)->size();
    if (!size) return base::fail(size.error());
    GroupReader reader(**file, segment.header);
    if (auto read = walk(reader, segment, *size); !read) return read;
    const uint64_t wanted = out_.segments[index + 1].header.first_group;
    if (reader.group() == wanted) return {};
    return damage(fmt::format("{} at byte {}: group {} is unreadable, but the log goes on to group {}",
                              segment.path, reader.offset(), reader.group(), wanted));
  }

  Status find_end(End& end) {
    const Segment& segment = out_.segments.back();
    out_.newest = {segment.header.first_position.value - 1};
    if (segment.header.newest_time != base::WallTime{}) out_.newest_time = segment.header.newest_time;
    GroupReader reader(*out_.last, segment.header);
    if (auto read = walk(reader, segment, last_size_); !read) return read;
    end.offset = reader.offset();
    end.group = reader.group();
    end.last_offset = last_group_offset_;
    auto rest = out_.last->read(end.offset, last_size_ - std::min(last_size_, end.offset));
    if (!rest) return base::fail(rest.error());
    const auto trailer = decode_trailer(*rest, segment.header.seed());
    end.in_doubt = end.last_offset != 0 && trailer != end.group - 1;
    switch (judge_tail(*rest, segment.header.seed(), end.group)) {
      case Tail::clean:
        break;
      case Tail::torn:
        end.torn = true;
        break;
      case Tail::damaged:
        return damage(fmt::format("{} at byte {}: group {} is unreadable, but it was synced once",
                                  segment.path, end.offset, end.group));
    }
    return {};
  }

  // Moves through all whole groups.
  Status walk(GroupReader& reader, const Segment& segment, uint64_t size) {
    model::Position newest{segment.header.first_position.value - 1};
    last_group_offset_ = 0;
    for (;;) {
      auto group = reader.next(size);
      if (!group) return base::fail(group.error());
      if (!*group) break;
      const auto records = decode_records((*group)->header, (*group)->body, reader.seed());
      if (!records || records->empty()) {
        return damage(fmt::format("{} at byte {}: group {} is whole, but its records are not", segment.path,
                                  (*group)->offset, (*group)->header.number));
      }
      for (const RecordView& record : *records) {
        if (record.position <= newest) {
          return damage(fmt::format("{} at byte {}: record {} stands behind record {}", segment.path,
                                    (*group)->offset, record.position.value, newest.value));
        }
        newest = record.position;
      }
      out_.newest_time = records->back().time;
      last_group_offset_ = (*group)->offset;
    }
    out_.newest = newest;
    return {};
  }

  // From here on the directory is changed.
  Status settle(const End& end) {
    for (const std::string& path : unfinished_) {
      if (auto removed = disk_.remove(path); !removed) return removed;
    }
    if (auto synced = disk_.sync_directory(directory_); !synced) return synced;
    if (out_.segments.empty()) return {};

    const SegmentHeader& header = out_.segments.back().header;
    ports::File& last = *out_.last;
    if (end.torn) {
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
    if (end.torn || last_size_ < header.bytes) {
      if (auto reserved = last.allocate(header.bytes); !reserved) return reserved;
    }
    if (end.last_offset != 0) {
      if (auto told = last.write(end.offset, encode_trailer(header.seed(), end.group - 1)); !told)
        return told;
    }
    out_.write_offset = end.offset;
    out_.next_group = end.group;
    return {};
  }

  Disk& disk_;
  const std::string& directory_;
  Recovered out_;
  uint64_t last_size_ = 0;
  uint64_t last_group_offset_ = 0;
  std::vector<std::string> unfinished_;
};

}  // namespace

Result<std::unique_ptr<ports::File>> make_segment(Disk& disk, const std::string& directory,
                                                  const SegmentHeader& header) {
  const std::string path = directory + "/" + segment_name(header.number);
  const std::string draft = path + std::string(unfinished);
  auto file = disk.open(draft, Disk::Open::create_new);
  if (!file) return file;
  if (auto done = (*file)->allocate(header.bytes); !done) return base::fail(done.error());
  if (auto done = (*file)->write(0, encode(header)); !done) return base::fail(done.error());
  if (auto done = (*file)->sync(); !done) return base::fail(done.error());
  if (auto done = disk.rename(draft, path); !done) return base::fail(done.error());
  if (auto done = disk.sync_directory(directory); !done) return base::fail(done.error());
  return file;
}

Result<Recovered> recover(Disk& disk, const std::string& directory, model::Position known_below,
                          model::Position verify_from) {
  return Recovery(disk, directory).run(known_below, verify_from);
}

}  // namespace tidings::embedded
