#include "engine/embedded/log_survey.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace tidings::embedded {
namespace {

using base::Result;
using base::Status;
using ports::Disk;

constexpr uint64_t rest_step_bytes = 256u << 10;

class Surveyor {
 public:
  Surveyor(Disk& disk, const std::string& directory, const SurveyOptions& options)
      : disk_(disk), directory_(directory), options_(options) {}

  Result<LogSurvey> run() {
    if (auto found = find_files(); !found) return base::fail(found.error());
    for (LogFile& file : out_.files) {
      if (auto read = read_header(file); !read) return base::fail(read.error());
    }
    follow_chain();
    check_front();
    for (size_t i = 0; i < out_.segments.size(); ++i) {
      const bool is_old =
          i + 1 < out_.segments.size() && out_.segments[i + 1].header.first_position <= options_.verify_from;
      if (is_old && !options_.old_segments) continue;
      if (auto read = read_segment(i, is_old); !read) return base::fail(read.error());
      if (content_damage_) break;
    }
    // The lowest place counts.
    if (content_damage_) {
      out_.damage = std::move(content_damage_);
    } else if (header_damage_) {
      note_header_damage();
    }
    if (front_damage_) out_.damage = std::move(front_damage_);
    check_end();
    return std::move(out_);
  }

 private:
  Status find_files() {
    auto names = disk_.list(directory_);
    if (!names) return base::fail(names.error());
    for (const std::string& name : *names) {
      const std::string path = directory_ + "/" + name;
      if (name == cut_marker) out_.cut_unfinished = true;
      if (name.ends_with(unfinished_suffix) &&
          segment_number(name.substr(0, name.size() - std::string_view(unfinished_suffix).size()))) {
        out_.unfinished.push_back(path);
      }
      if (const auto number = segment_number(name)) out_.files.push_back({path, *number, 0, std::nullopt});
    }
    return {};
  }

  Status read_header(LogFile& found) {
    auto file = disk_.open(found.path, Disk::Open::existing);
    if (!file) return base::fail(file.error());
    auto block = (*file)->read(0, segment_header_bytes);
    if (!block) return base::fail(block.error());
    auto size = (*file)->size();
    if (!size) return base::fail(size.error());
    found.bytes = *size;
    const auto header = decode_segment_header(*block);
    if (!header) {
      why_no_header_.push_back(header.error().sentence);
    } else if (header->number != found.number || *size > header->bytes) {
      why_no_header_.push_back("it is another file than its header says");
    } else {
      found.header = *header;
      why_no_header_.emplace_back();
    }
    return {};
  }

  void follow_chain() {
    for (size_t i = 0; i < out_.files.size(); ++i) {
      const LogFile& file = out_.files[i];
      const auto refuse = [&](const std::string& what) { header_damage_ = {what, i, 0, 1}; };
      if (i > 0 && file.number != out_.files[i - 1].number + 1) {
        return refuse(fmt::format("{} is there, but {} is missing", file.path,
                                  segment_name(out_.files[i - 1].number + 1)));
      }
      if (!file.header) return refuse(fmt::format("{} at byte 0: {}", file.path, why_no_header_[i]));
      if (i > 0) {
        const SegmentHeader& before = out_.segments.back().header;
        if (file.header->first_group < before.first_group ||
            file.header->first_position < before.first_position) {
          return refuse(fmt::format("{} at byte 0: it does not follow the segment before it", file.path));
        }
      }
      out_.segments.push_back({file.path, *file.header});
      out_.last_bytes = file.bytes;
    }
  }

  // What was trimmed away must stand in the store. A segment in which positions began anew needs nothing
  // before it.
  void check_front() {
    if (out_.segments.empty()) return;
    const SegmentHeader& first = out_.segments.front().header;
    const uint64_t needed = std::max<uint64_t>(options_.verify_from.value, 1);
    if (first.first_position.value <= needed || first.base == first.first_position.value) return;
    front_damage_ = {fmt::format("{} begins with record {}, but the store needs those from {}",
                                 out_.segments.front().path, first.first_position.value, needed),
                     0, 0, first.first_group};
  }

  Status read_segment(size_t index, bool is_old) {
    const Segment& segment = out_.segments[index];
    const bool is_last = index + 1 == out_.segments.size();
    auto file = disk_.open(segment.path, Disk::Open::existing);
    if (!file) return base::fail(file.error());
    const uint64_t bytes = out_.files[index].bytes;
    GroupReader reader(**file, segment.header);
    std::string what;
    if (auto read = walk(reader, segment, bytes, what); !read) return read;
    if (what.empty() && !is_last) {
      const uint64_t wanted = out_.segments[index + 1].header.first_group;
      if (reader.group() != wanted) {
        what = fmt::format("{} at byte {}: group {} is unreadable, but the log goes on to group {}",
                           segment.path, reader.offset(), reader.group(), wanted);
      }
    }
    if (what.empty() && is_last && !header_damage_) {
      if (auto judged = judge(**file, reader, segment, bytes, what); !judged) return judged;
    }
    if (is_last) out_.last = *std::move(file);
    if (what.empty()) return {};
    if (is_old) {
      out_.old_damage.push_back(std::move(what));
    } else {
      content_damage_ = {std::move(what), index, out_.end.offset, out_.end.group};
    }
    return {};
  }

  // Moves through all whole groups.
  Status walk(GroupReader& reader, const Segment& segment, uint64_t bytes, std::string& what) {
    LogEnd& end = out_.end;
    end.offset = reader.offset();
    end.group = reader.group();
    end.last_offset = 0;
    end.newest = {segment.header.first_position.value - 1};
    if (segment.header.newest_time != base::WallTime{}) end.newest_time = segment.header.newest_time;
    for (;;) {
      auto group = reader.next(bytes);
      if (!group) return base::fail(group.error());
      if (!*group) return {};
      const auto records = decode_records((*group)->header, (*group)->body, reader.seed());
      if (!records || records->empty()) {
        what = fmt::format("{} at byte {}: group {} is whole, but its records are not", segment.path,
                           (*group)->offset, (*group)->header.number);
        return {};
      }
      model::Position newest = end.newest;
      for (const RecordView& record : *records) {
        if (record.position <= newest) {
          what = fmt::format("{} at byte {}: record {} stands behind record {}", segment.path,
                             (*group)->offset, record.position.value, newest.value);
          return {};
        }
        newest = record.position;
      }
      if (!out_.low && newest >= options_.verify_from) {
        out_.low = {segment.header.number, (*group)->offset, (*group)->header.number};
      }
      end.newest = newest;
      end.newest_time = records->back().time;
      end.last_offset = (*group)->offset;
      end.offset = reader.offset();
      end.group = reader.group();
      if (options_.visit) options_.visit(segment, **group, *records);
    }
  }

  // All from `offset`, or only the beginning if nothing but a trailer stands there: an empty rest of 64 MiB
  // is looked through in small steps.
  static Result<base::Bytes> read_rest(ports::File& file, uint64_t offset, uint64_t bytes) {
    const uint64_t all = bytes - std::min(bytes, offset);
    auto beginning = file.read(offset, std::min(all, rest_step_bytes));
    if (!beginning ||
        !all_zero(base::BytesView(*beginning).substr(std::min(trailer_bytes, beginning->size()))))
      return file.read(offset, all);
    for (uint64_t at = rest_step_bytes; at < all; at += rest_step_bytes) {
      auto step = file.read(offset + at, std::min(all - at, rest_step_bytes));
      if (!step) return step;
      if (!all_zero(*step)) return file.read(offset, all);
    }
    return beginning;
  }

  Status judge(ports::File& file, const GroupReader& reader, const Segment& segment, uint64_t bytes,
               std::string& what) {
    LogEnd& end = out_.end;
    auto rest = read_rest(file, end.offset, bytes);
    if (!rest) return base::fail(rest.error());
    const auto trailer = decode_trailer(*rest, reader.seed());
    end.in_doubt = end.last_offset != 0 && trailer != end.group - 1;
    switch (judge_tail(*rest, reader.seed(), end.group)) {
      case Tail::clean:
        break;
      case Tail::torn:
        end.torn_bytes = bytes_until_zeros(*rest);
        break;
      case Tail::damaged:
        what = fmt::format("{} at byte {}: group {} is unreadable, but it was synced once", segment.path,
                           end.offset, end.group);
    }
    return {};
  }

  // What is whole ends with the last segment of the chain, and a broken one follows.
  void note_header_damage() {
    out_.damage = std::move(header_damage_);
    out_.damage->next_group = out_.segments.empty() ? 1 : out_.end.group;
  }

  void check_end() {
    if (out_.damage || out_.end.newest >= options_.known_below) return;
    const bool is_torn = out_.end.torn_bytes > 0;
    out_.damage = {
        fmt::format("the log in {} ends at record {}, but record {} was already folded into the store",
                    directory_, out_.end.newest.value, options_.known_below.value),
        out_.files.size() - (is_torn ? 1 : 0), is_torn ? out_.end.offset : 0, out_.end.group};
  }

  Disk& disk_;
  const std::string& directory_;
  const SurveyOptions& options_;
  LogSurvey out_;
  std::vector<std::string> why_no_header_;  // beside out_.files
  std::optional<LogDamage> header_damage_, content_damage_, front_damage_;
};

}  // namespace

Result<LogSurvey> survey_log(Disk& disk, const std::string& directory, const SurveyOptions& options) {
  return Surveyor(disk, directory, options).run();
}

Status read_above_damage(
    Disk& disk, const LogSurvey& survey,
    const std::function<void(const LogFile&, const GroupHeader&, const std::vector<RecordView>&)>& visit,
    uint64_t& unreadable_bytes) {
  if (!survey.damage) return {};
  uint64_t group = survey.damage->next_group;
  for (size_t i = survey.damage->file; i < survey.files.size(); ++i) {
    const LogFile& found = survey.files[i];
    if (!found.header) {
      unreadable_bytes += found.bytes;
      continue;
    }
    uint64_t at = segment_header_bytes;
    if (i == survey.damage->file) at = std::max(at, survey.damage->keep_bytes);
    auto file = disk.open(found.path, Disk::Open::existing);
    if (!file) return base::fail(file.error());
    auto bytes = (*file)->read(at, found.bytes - std::min(found.bytes, at));
    if (!bytes) return base::fail(bytes.error());
    base::BytesView rest = *bytes;
    const uint32_t seed = found.header->seed();
    group = std::max(group, found.header->first_group);
    for (size_t begin; (begin = find_whole_group(rest, seed, group)) != rest.npos;) {
      unreadable_bytes += begin;
      rest.remove_prefix(begin);
      const auto header = decode_group_header(rest, seed);
      const auto records = decode_records(*header, rest.substr(group_header_bytes, header->body_bytes), seed);
      if (records) {
        visit(found, *header, *records);
      } else {
        unreadable_bytes += header->body_bytes;
      }
      rest.remove_prefix(group_header_bytes + header->body_bytes);
      group = header->number + 1;
    }
    if (decode_trailer(rest, seed)) rest.remove_prefix(trailer_bytes);
    unreadable_bytes += bytes_until_zeros(rest);
  }
  return {};
}

}  // namespace tidings::embedded
