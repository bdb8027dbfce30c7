#include "engine/embedded/log_cut.h"

#include <algorithm>

#include "engine/embedded/segment_files.h"

namespace tidings::embedded {
namespace {

using base::Status;
using ports::Disk;

constexpr uint64_t copy_step_bytes = 1u << 20;

class Cut {
 public:
  Cut(Disk& disk, const std::string& directory, const LogSurvey& survey, const CutOrder& order)
      : disk_(disk), directory_(directory), survey_(survey), damage_(*survey.damage), order_(order) {}

  Status run() {
    if (auto done = disk_.make_directory(directory_); !done) return done;
    if (auto done = mark(); !done) return done;
    if (!survey_.unfinished.empty() || damage_.file < survey_.files.size()) {
      if (auto done = disk_.make_directory(order_.aside); !done) return done;
    }
    for (const std::string& path : survey_.unfinished) {
      if (auto done = move(path); !done) return done;
    }
    if (auto done = move_damaged(); !done) return done;
    if (auto done = settle_last(); !done) return done;
    if (auto done = begin_anew(); !done) return done;
    if (auto done = disk_.remove(marker()); !done) return done;
    return disk_.sync_directory(directory_);
  }

 private:
  std::string marker() const { return directory_ + "/" + cut_marker; }

  Status mark() {
    auto file = disk_.open(marker(), Disk::Open::existing_or_new);
    if (!file) return base::fail(file.error());
    if (auto done = (*file)->sync(); !done) return done;
    return disk_.sync_directory(directory_);
  }

  Status move(const std::string& path) {
    return disk_.rename(path, order_.aside + path.substr(path.find_last_of('/')));
  }

  bool keeps_a_part() const { return damage_.keep_bytes > 0 && damage_.file < survey_.files.size(); }

  Status move_damaged() {
    const std::string path = keeps_a_part() ? survey_.files[damage_.file].path : "";
    if (keeps_a_part()) {
      if (auto done = copy(path, path + kept_suffix, damage_.keep_bytes); !done) return done;
      if (auto done = disk_.sync_directory(directory_); !done) return done;
    }
    // From above, so that what is left is always the beginning of the log.
    for (size_t i = survey_.files.size(); i-- > damage_.file;) {
      if (auto done = move(survey_.files[i].path); !done) return done;
      if (auto done = disk_.sync_directory(order_.aside); !done) return done;
      if (auto done = disk_.sync_directory(directory_); !done) return done;
    }
    if (!keeps_a_part()) return {};
    if (auto done = disk_.rename(path + kept_suffix, path); !done) return done;
    return disk_.sync_directory(directory_);
  }

  Status copy(const std::string& from, const std::string& to, uint64_t bytes) {
    auto source = disk_.open(from, Disk::Open::existing);
    if (!source) return base::fail(source.error());
    auto target = disk_.open(to, Disk::Open::existing_or_new);
    if (!target) return base::fail(target.error());
    if (auto done = (*target)->truncate(0); !done) return done;
    for (uint64_t at = 0; at < bytes; at += copy_step_bytes) {
      auto part = (*source)->read(at, std::min(copy_step_bytes, bytes - at));
      if (!part) return base::fail(part.error());
      if (auto done = (*target)->write(at, *part); !done) return done;
    }
    return (*target)->sync();
  }

  // A segment that was the last and is kept whole: nobody may have synced its newest group yet.
  Status settle_last() {
    if (damage_.file < survey_.files.size() || survey_.segments.empty()) return {};
    const LogEnd& end = survey_.end;
    auto file = disk_.open(survey_.segments.back().path, Disk::Open::existing);
    if (!file) return base::fail(file.error());
    if (end.in_doubt) {
      auto group = (*file)->read(end.last_offset, end.offset - end.last_offset);
      if (!group) return base::fail(group.error());
      if (auto done = (*file)->write(end.last_offset, *group); !done) return done;
    }
    return (*file)->sync();
  }

  Status begin_anew() {
    SegmentHeader header;
    const auto& files = survey_.files;
    const size_t kept = damage_.file + (keeps_a_part() ? 1 : 0);
    header.number = kept > 0 ? files[kept - 1].number + 1 : files.empty() ? 1 : files.front().number;
    header.id = order_.segment_id;
    header.bytes = order_.segment_bytes;
    header.base = order_.beginning.position.value;
    header.first_group = damage_.next_group;
    header.first_position = order_.beginning.position;
    header.newest_time = order_.beginning.time;
    base::Bytes group;
    const size_t size = encode_group(group, header.seed(), header.first_group, {&order_.beginning, 1});
    group.resize(size);
    group += encode_trailer(header.seed(), header.first_group);
    auto made = make_segment(disk_, directory_, header, group);
    if (!made) return base::fail(made.error());
    if (!*made) return base::failure(no_room(directory_, header.bytes));
    return {};
  }

  Disk& disk_;
  const std::string& directory_;
  const LogSurvey& survey_;
  const LogDamage& damage_;
  const CutOrder& order_;
};

}  // namespace

Status resume_cut(Disk& disk, const std::string& directory, const std::vector<std::string>& asides) {
  // Whatever was moved must stand where it is before something takes its old name.
  for (const std::string& aside : asides) {
    if (auto synced = disk.sync_directory(aside); !synced) return synced;
  }
  auto names = disk.list(directory);
  if (!names) return base::fail(names.error());
  const std::string inside = directory + "/";
  for (const std::string& name : *names) {
    if (!name.ends_with(kept_suffix)) continue;
    const std::string whole = name.substr(0, name.size() - std::string_view(kept_suffix).size());
    if (!segment_number(whole)) continue;
    // While the segment is still there, its copy may be incomplete, and is made again.
    const bool is_there = std::find(names->begin(), names->end(), whole) != names->end();
    const auto path = inside + whole;
    const auto kept = inside + name;
    auto done = is_there ? disk.remove(kept) : disk.rename(kept, path);
    if (!done) return done;
    if (auto synced = disk.sync_directory(directory); !synced) return synced;
  }
  return {};
}

Status cut_log(Disk& disk, const std::string& directory, const LogSurvey& survey, const CutOrder& order) {
  return Cut(disk, directory, survey, order).run();
}

}  // namespace tidings::embedded
