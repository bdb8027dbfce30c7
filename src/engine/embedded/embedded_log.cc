#include "engine/embedded/embedded_log.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/log_line.h"
#include "base/seed_bug.h"

namespace tidings::embedded {
namespace {

using base::Result;
using base::Status;
using model::Position;
using ports::LogRecord;

constexpr uint64_t segment_bytes_min = 16u << 10;
constexpr uint64_t segment_bytes_max = 1u << 30;
constexpr size_t replay_batch_bytes = 1u << 20;
// More groups per reading step than are written between two steps, so that reading catches up under any load.
constexpr int replay_groups_min = 2;

SegmentHeader first_segment(const EmbeddedLog::Parts& parts) {
  SegmentHeader header;
  header.id = parts.random.u64();
  header.bytes = parts.segment_bytes;
  header.first_position = {1};
  return header;
}

}  // namespace

Result<std::unique_ptr<EmbeddedLog>> EmbeddedLog::open(Parts parts) {
  if (parts.segment_bytes < segment_bytes_min || parts.segment_bytes > segment_bytes_max) {
    return base::failure(fmt::format("a segment of the log must have {} to {} bytes, not {}",
                                     segment_bytes_min, segment_bytes_max, parts.segment_bytes));
  }
  if (auto made = parts.disk.make_directory(parts.directory); !made) return base::fail(made.error());
  auto lock = parts.disk.lock(parts.directory);
  if (!lock) return base::fail(lock.error());

  auto found = recover(parts.disk, parts.directory, parts.known_below, parts.verify_from, parts.doctor);
  if (!found) return base::fail(found.error());
  if (found->segments.empty()) {
    const SegmentHeader header = first_segment(parts);
    auto file = make_segment(parts.disk, parts.directory, header);
    if (!file) return base::fail(file.error());
    if (!*file) return base::failure(no_room(parts.directory, header.bytes));
    found->segments.push_back({parts.directory + "/" + segment_name(header.number), header});
    found->last = *std::move(file);
    found->write_offset = segment_header_bytes;
  }
  const size_t room = parts.segment_bytes - segment_header_bytes - group_header_bytes - trailer_bytes;
  const size_t group_bytes_max = std::min(parts.limits.log_group_bytes_max, room);
  return std::unique_ptr<EmbeddedLog>(
      new EmbeddedLog(std::move(parts), *std::move(lock), *std::move(found), group_bytes_max));
}

EmbeddedLog::EmbeddedLog(Parts parts, std::unique_ptr<ports::DirectoryLock> lock, Recovered found,
                         size_t group_bytes_max)
    : parts_(std::move(parts)),
      group_bytes_max_(group_bytes_max),
      metrics_(parts_.metrics),
      stamper_(found.newest_time, parts_.clock.wall(), parts_.clock.monotonic(), parts_.wall_is_trusted),
      end_(found.newest.value + 1),
      space_(parts_.disk, parts_.directory, parts_.free_bytes_min, parts_.segment_bytes, parts_.metrics),
      lock_(std::move(lock)),
      segments_(std::move(found.segments)),
      low_(found.low),
      file_(std::move(found.last)),
      write_offset_(found.write_offset),
      next_group_(found.next_group),
      next_position_(found.newest.value + 1),
      newest_time_(found.newest_time.value_or(base::WallTime{})) {
  measure();
}

EmbeddedLog::~EmbeddedLog() = default;

std::optional<wire::Code> EmbeddedLog::append(std::vector<Append> records) {
  const auto refused = append_held(std::move(records));
  release();
  return refused;
}

void EmbeddedLog::release() {
  {
    base::MutexLock lock(mutex_);
    if (queue_.empty() || taking_ == Taking::failed || std::exchange(writing_, true)) return;
  }
  post(&EmbeddedLog::write_next_group);
}

std::optional<wire::Code> EmbeddedLog::append_held(std::vector<Append> records) {
  if (records.empty()) return std::nullopt;
  size_t bytes = 0;
  for (const Append& record : records) bytes += encoded_bytes(record.payload.size());
  const size_t records_max = parts_.limits.log_group_records_max;
  if (bytes > group_bytes_max_ || records.size() > records_max) return wire::Code::too_large;
  base::MutexLock lock(mutex_);
  if (taking_ == Taking::closed) return wire::Code::draining;
  if (taking_ == Taking::failed) return wire::Code::internal;
  if (space_.is_full()) {
    metrics_.refused_full.add();
    return wire::Code::storage_full;
  }
  if (queued_bytes_ + bytes > parts_.limits.log_queue_bytes_max) {
    metrics_.refused.add();
    return wire::Code::busy;
  }
  queued_bytes_ += bytes;
  metrics_.queue_bytes.set(static_cast<int64_t>(queued_bytes_));
  if (queue_.empty() || queue_.back().bytes + bytes > group_bytes_max_ ||
      queue_.back().records.size() + records.size() > records_max) {
    queue_.emplace_back();
  }
  Group& group = queue_.back();
  group.bytes += bytes;
  for (Append& record : records)
    group.records.push_back({{}, record.partition, {}, std::move(record.payload)});
  return std::nullopt;
}

void EmbeddedLog::post(void (EmbeddedLog::*step)()) {
  parts_.executor.post([this, step, alive = std::weak_ptr<const bool>(alive_)] {
    if (!alive.expired()) (this->*step)();
  });
}

void EmbeddedLog::write_next_group() {
  Group group;
  {
    base::MutexLock lock(mutex_);
    group = std::move(queue_.front());
    queue_.pop_front();
  }
  const auto written = write(group);
  if (written && !*written) {
    return wait_for_room(std::move(group));
  }
  if (!written) {
    fail(fmt::format("{}; whether the newest messages were stored is found out at the next start",
                     written.error().sentence));
  }
  bool more = false;
  {
    base::MutexLock lock(mutex_);
    queued_bytes_ -= group.bytes;
    metrics_.queue_bytes.set(static_cast<int64_t>(queued_bytes_));
    more = !queue_.empty() && taking_ != Taking::failed;
    writing_ = more || closed_;
    if (!writing_) return;
  }
  post(more ? &EmbeddedLog::write_next_group : &EmbeddedLog::finish);
}

Result<bool> EmbeddedLog::write(Group& group) {
  const size_t bytes = group_header_bytes + group.bytes;
  if (write_offset_ + bytes + trailer_bytes > segments_.back().header.bytes) {
    auto begun = begin_segment();
    if (!begun || !*begun) return begun;
  }
  newest_time_ = time();
  for (LogRecord& record : group.records) {
    record.position = {next_position_++};
    record.time = newest_time_;
  }
  const uint32_t seed = segments_.back().header.seed();
  encode_group(buffer_, seed, next_group_, group.records);
  if (auto written = file_->write(write_offset_, base::BytesView(buffer_).substr(0, bytes)); !written)
    return base::fail(written.error());
  const size_t records = group.records.size();
  if (TIDINGS_SEED_BUG(1)) hand_out(std::move(group.records));
  if (auto synced = file_->sync(); !synced) return base::fail(synced.error());

  write_offset_ += bytes;
  ++next_group_;
  metrics_.records.add(records);
  metrics_.groups.add();
  metrics_.bytes.add(bytes);
  end_.store(next_position_, std::memory_order_release);
  hand_out(std::move(group.records));
  // Says to a later start that this group was synced: if it is unreadable then, it is damaged and not torn.
  if (auto told = file_->write(write_offset_, encode_trailer(seed, next_group_ - 1)); !told)
    return base::fail(told.error());
  space_.on_written(bytes);
  return true;
}

Result<bool> EmbeddedLog::begin_segment() {
  const SegmentHeader& before = segments_.back().header;
  SegmentHeader header = before;
  header.number = before.number + 1;
  header.id = parts_.random.u64();
  header.bytes = parts_.segment_bytes;
  header.first_group = next_group_;
  header.first_position = {next_position_};
  header.newest_time = newest_time_;
  auto file = make_segment(parts_.disk, parts_.directory, header);
  if (!file) return base::fail(file.error());
  space_.on_reserved(*file != nullptr);
  if (!*file) return false;
  segments_.push_back({parts_.directory + "/" + segment_name(header.number), header});
  file_ = *std::move(file);
  write_offset_ = segment_header_bytes;
  metrics_.segments.add();
  measure();
  space_.look();
  return true;
}

void EmbeddedLog::hand_out(std::vector<LogRecord> records) {
  if (!live_ || records.empty() || records.back().position < from_) return;
  std::erase_if(records, [this](const LogRecord& record) { return record.position < from_; });
  const Position end{records.back().position.value + 1};
  sink_({std::move(records), end});
}

void EmbeddedLog::read(Position from, Sink sink) {
  parts_.executor.post([this, from, sink = std::move(sink),
                        alive = std::weak_ptr<const bool>(alive_)]() mutable {
    if (alive.expired() || failed_ || !file_) return;
    space_.look();
    if (space_.is_on()) watch_later();
    sink_ = std::move(sink);
    from_ = from;
    const auto above = std::find_if(segments_.begin() + 1, segments_.end(), [from](const Segment& segment) {
      return segment.header.first_position > from;
    });
    replay_ = std::make_unique<Replay>();
    replay_->segment = static_cast<size_t>(above - segments_.begin()) - 1;
    const bool from_low =
        low_ && from >= parts_.verify_from && segments_[replay_->segment].header.number <= low_->segment;
    if (from_low) {
      while (segments_[replay_->segment].header.number < low_->segment) ++replay_->segment;
    }
    if (auto opened = open_replay(from_low ? &*low_ : nullptr); !opened) return fail(opened.error().sentence);
    read_step();
  });
}

void EmbeddedLog::pause_reading() {
  reading_paused_ = true;
}
void EmbeddedLog::resume_reading() {
  reading_paused_ = false;
  post(&EmbeddedLog::go_on_reading);
}
void EmbeddedLog::go_on_reading() {
  if (std::exchange(reading_waits_, false)) read_step();
}

void EmbeddedLog::read_step() {
  if (!replay_) return;
  if (reading_paused_) {
    reading_waits_ = true;
    return;
  }
  std::vector<LogRecord> records;
  const auto caught_up = fetch(records);
  if (!caught_up) return fail(caught_up.error().sentence);
  if (*caught_up) {
    live_ = true;
    replay_.reset();
    post(&EmbeddedLog::trim_step);
  } else {
    post(&EmbeddedLog::read_step);
  }
  if (records.empty()) return;
  const Position end{records.back().position.value + 1};
  sink_({std::move(records), end});
}

Result<bool> EmbeddedLog::fetch(std::vector<LogRecord>& records) {
  size_t bytes = 0;
  for (int groups = 0; groups < replay_groups_min || bytes < replay_batch_bytes;) {
    const bool is_last = replay_->segment + 1 == segments_.size();
    const uint64_t end = is_last ? next_group_ : segments_[replay_->segment + 1].header.first_group;
    if (replay_->reader->group() == end) {
      if (is_last) return true;
      ++replay_->segment;
      if (auto opened = open_replay(); !opened) return base::fail(opened.error());
      post(&EmbeddedLog::trim_step);
      continue;
    }
    auto group = replay_->reader->next(is_last ? write_offset_ : replay_->file_bytes);
    if (!group) return base::fail(group.error());
    const auto views =
        *group ? decode_records((*group)->header, (*group)->body, replay_->reader->seed()) : std::nullopt;
    if (!views) {
      return base::failure(fmt::format("the log is damaged: {} at byte {}: group {} is unreadable",
                                       segments_[replay_->segment].path, replay_->reader->offset(),
                                       replay_->reader->group()));
    }
    for (const RecordView& view : *views) {
      if (view.position < from_) continue;
      records.push_back({view.position, view.partition, view.time, base::Bytes(view.payload)});
    }
    bytes += (*group)->body.size();
    ++groups;
  }
  return false;
}

Status EmbeddedLog::open_replay(const LogPlace* from) {
  const Segment& segment = segments_[replay_->segment];
  auto file = parts_.disk.open(segment.path, ports::Disk::Open::existing);
  if (!file) return base::fail(file.error());
  auto size = (*file)->size();
  if (!size) return base::fail(size.error());
  replay_->reader.reset();
  replay_->file = *std::move(file);
  replay_->file_bytes = *size;
  if (from) {
    replay_->reader.emplace(*replay_->file, segment.header, from->offset, from->group);
  } else {
    replay_->reader.emplace(*replay_->file, segment.header);
  }
  return {};
}

Position EmbeddedLog::end() const {
  return {end_.load(std::memory_order_acquire)};
}

base::WallTime EmbeddedLog::time() const {
  Stamper::Stamp stamp;
  {
    base::MutexLock lock(stamp_mutex_);
    stamp = stamper_.stamp(parts_.clock.wall(), parts_.clock.monotonic());
  }
  switch (stamp.notice) {
    case Stamper::Notice::none:
      break;
    case Stamper::Notice::alarm:
      metrics_.clock_alarms.add();
      base::log_error(
          "the wall clock disagrees by more than a minute with what it showed before; messages are stamped "
          "by "
          "the monotonic clock until it agrees again or has stayed ahead for ten minutes. Check the "
          "machine's time");
      break;
    case Stamper::Notice::agrees:
      base::log_info("the wall clock agrees again");
      break;
    case Stamper::Notice::believed:
      base::log_warning(
          "the wall clock has been ahead steadily and is believed now: the stamps of messages jump");
      break;
  }
  return stamp.time;
}

void EmbeddedLog::close(base::Task done) {
  auto step = &EmbeddedLog::finish;
  {
    base::MutexLock lock(mutex_);
    if (taking_ == Taking::all) taking_ = Taking::closed;
    closed_ = std::move(done);
    const bool waited = std::exchange(waits_for_room_, false);
    if (std::exchange(writing_, true) && !waited) return;
    // What waits for room, or was appended and not released.
    if (!queue_.empty() && taking_ != Taking::failed) step = &EmbeddedLog::write_next_group;
  }
  post(step);
}

void EmbeddedLog::finish() {
  if (!failed_) {
    if (const auto synced = file_->sync(); !synced) fail(synced.error().sentence);
  }
  parts_.executor.cancel(std::exchange(watch_timer_, 0));
  live_ = false;
  replay_.reset();
  file_.reset();
  lock_.reset();
  base::Task done;
  {
    base::MutexLock lock(mutex_);
    done = std::move(closed_);
  }
  done();  // may destroy us
}

void EmbeddedLog::fail(const std::string& sentence) {
  if (std::exchange(failed_, true)) return;
  live_ = false;
  replay_.reset();
  {
    base::MutexLock lock(mutex_);
    taking_ = Taking::failed;
  }
  parts_.fatal(sentence);
}

}  // namespace tidings::embedded
