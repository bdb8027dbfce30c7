#include "server/doctor.h"

#include <algorithm>
#include <map>

#include "engine/embedded/log_cut.h"
#include "engine/embedded/log_survey.h"
#include "engine/embedded/posix_disk.h"
#include "engine/embedded/rocks_store.h"
#include "engine/embedded/stamper.h"
#include "engine/embedded/store_marks.h"
#include "engine/embedded/system_clock.h"
#include "engine/embedded/system_random.h"
#include "server/effects_again.h"
#include "wire/record.h"

namespace tidings::server {

namespace {

using embedded::GroupHeader;
using embedded::RecordView;
using model::Position;

constexpr uint64_t base_step = 1ull << 40;  // protocol.md §1 "Position": after a restore
constexpr uint64_t base_multiple = 4096;
constexpr const char* aside_prefix = "damaged-";  // and the time
constexpr uint64_t segment_bytes_default = 64u << 20;
// Of the feed: what it caused may have stood in what is cut away.
constexpr base::nanoseconds effects_age = std::chrono::hours(24);

void count(RecordCount& into, const RecordView& record) {
  if (into.records++ == 0) {
    into.first = record.position;
    into.first_time = record.time;
  }
  into.last = record.position;
  into.last_time = record.time;
  if (record.partition != model::stream_partition) return;
  const auto decoded = wire::decode_record(record.payload);
  if (decoded && std::holds_alternative<model::Lineage>(*decoded)) ++into.lineages;
}

}  // namespace

struct Doctor::State {
  std::string data;
  embedded::PosixDisk disk;
  std::unique_ptr<ports::DirectoryLock> lock, log_lock;
  embedded::StoreMarks marks;
  std::map<uint16_t, Position> folded;  // by partition
  embedded::LogSurvey survey;
  Diagnosis diagnosis;
  Position highest;  // of all that were found anywhere
  base::WallTime newest{};

  base::Status admit();
  base::Status read();
  base::Status read_damage();
  bool is_stored(const RecordView& record) const;
  void note(Position position, base::WallTime time) {
    highest = std::max(highest, position);
    newest = std::max(newest, time);
  }
  base::Result<Position> next_base() const;
  base::Status lower_effects() const;
};

base::Status Doctor::State::admit() {
  auto names = disk.list(data);
  if (!names) return base::fail(names.error());
  const auto has = [&](const char* name) {
    return std::find(names->begin(), names->end(), name) != names->end();
  };
  if (!has("log") && !has("store")) {
    return base::failure("there is no data of tidings in " + data + "; name its directory with --data");
  }
  auto locked = disk.lock(data);
  if (!locked) return base::fail(locked.error());
  lock = std::move(*locked);
  if (!has("log")) return {};
  auto log_locked = disk.lock(diagnosis.log);
  if (!log_locked) return base::fail(log_locked.error());
  log_lock = std::move(*log_locked);
  return {};
}

base::Status Doctor::State::read() {
  auto read_marks = embedded::read_store_marks(diagnosis.store);
  if (!read_marks) return base::fail(read_marks.error());
  marks = std::move(*read_marks);
  for (const auto& checkpoint : marks.checkpoints) {
    folded[checkpoint.partition.value] = checkpoint.position;
    note(checkpoint.position, checkpoint.time);
  }
  note(marks.highest_version, {});
  diagnosis.checkpoints = marks.checkpoints.size();
  diagnosis.low = marks.low;
  diagnosis.folded = embedded::known_below(marks.checkpoints, marks.low);
  note(diagnosis.folded, {});
  if (marks.lineage) {
    const auto lineages = wire::decode_lineages(*marks.lineage);
    if (lineages) diagnosis.stored_lineages = lineages->size();
  }

  auto found = embedded::survey_log(
      disk, diagnosis.log,
      {.known_below = diagnosis.folded,
       .verify_from = diagnosis.low,
       .old_segments = true,
       .visit = [this](const auto&, const auto&, const std::vector<RecordView>& records) {
         ++diagnosis.whole.groups;
         for (const RecordView& record : records) count(diagnosis.whole, record);
       }});
  if (!found) return base::fail(found.error());
  survey = std::move(*found);
  diagnosis.segments = survey.files.size();
  for (const auto& file : survey.files) {
    diagnosis.bytes += file.bytes;
    if (file.header) note(file.header->first_position, file.header->newest_time);
  }
  note(diagnosis.whole.last, diagnosis.whole.last_time);
  diagnosis.old_damage = survey.old_damage;
  if (survey.cut_unfinished && !survey.damage) {
    const bool is_torn = survey.end.torn_bytes > 0;
    survey.damage = {"a cut of the log in " + diagnosis.log + " was begun and not finished",
                     survey.files.size() - (is_torn ? 1 : 0), is_torn ? survey.end.offset : 0,
                     survey.end.group};
  }
  if (survey.damage) return read_damage();
  diagnosis.torn_bytes = survey.end.torn_bytes;
  if (!survey.segments.empty()) diagnosis.newest_path = survey.segments.back().path;
  return {};
}

base::Status Doctor::State::read_damage() {
  Damage& damage = diagnosis.damage.emplace();
  damage.what = survey.damage->what;
  damage.kept_bytes = survey.damage->keep_bytes;
  for (size_t i = survey.damage->file; i < survey.files.size(); ++i) {
    damage.files.push_back(survey.files[i].path);
  }
  uint64_t expected = survey.damage->next_group;
  const auto visit = [&](const embedded::LogFile&, const GroupHeader& group,
                         const std::vector<RecordView>& records) {
    damage.unreadable_groups += group.number - expected;
    expected = group.number + 1;
    ++damage.above.groups;
    bool is_lost = false;
    for (const RecordView& record : records) {
      count(damage.above, record);
      note(record.position, record.time);
      if (is_stored(record)) {
        ++damage.stored_records;
      } else {
        count(damage.lost, record);
        is_lost = true;
      }
    }
    if (is_lost) ++damage.lost.groups;
  };
  return embedded::read_above_damage(disk, survey, visit, damage.unreadable_bytes);
}

bool Doctor::State::is_stored(const RecordView& record) const {
  if (record.position < marks.low) return true;
  const auto found = folded.find(record.partition.value);
  return found != folded.end() && record.position <= found->second;
}

// Above every position that was ever given, those in what cannot be read too.
base::Result<Position> Doctor::State::next_base() const {
  const auto since = embedded::SystemClock().wall() - base::epoch;
  const auto since_us = std::max<int64_t>(0, std::chrono::microseconds(since).count());
  const uint64_t lowest = std::max(highest.value + base_step, static_cast<uint64_t>(since_us));
  const uint64_t base = (lowest + base_multiple - 1) / base_multiple * base_multiple;
  if (base <= highest.value) return base::failure("the log holds positions beyond which there are none");
  return Position{base};
}

// Before the log is cut: to repeat what is durable does no harm.
base::Status Doctor::State::lower_effects() const {
  if (marks.checkpoints.empty()) return {};
  base::Registry metrics;
  auto store = embedded::RocksStore::open(diagnosis.store, metrics);
  if (!store) return base::fail(store.error());
  return ask_effects_again(**store, effects_age);
}

Doctor::Doctor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Doctor::~Doctor() = default;

base::Result<std::unique_ptr<Doctor>> Doctor::examine(const std::string& data) {
  auto state = std::make_unique<State>();
  state->data = data;
  state->diagnosis.log = data + "/log";
  state->diagnosis.store = data + "/store";
  if (auto admitted = state->admit(); !admitted) return base::fail(admitted.error());
  if (auto read = state->read(); !read) return base::fail(read.error());
  return std::unique_ptr<Doctor>(new Doctor(std::move(state)));
}

const Diagnosis& Doctor::diagnosis() const {
  return state_->diagnosis;
}

base::Result<Doctor::Cut> Doctor::cut() {
  State& s = *state_;
  if (!s.survey.damage) return base::failure("there is no damage, so nothing is cut");
  if (s.survey.cut_unfinished) {
    auto names = s.disk.list(s.data);
    if (!names) return base::fail(names.error());
    std::vector<std::string> asides;
    for (const std::string& name : *names) {
      if (name.starts_with(aside_prefix)) asides.push_back(s.data + "/" + name);
    }
    if (auto resumed = embedded::resume_cut(s.disk, s.diagnosis.log, asides); !resumed)
      return base::fail(resumed.error());
    // What it put back in its place is seen now.
    const Diagnosis before = std::move(s.diagnosis);
    s.diagnosis = Diagnosis();
    s.diagnosis.log = before.log;
    s.diagnosis.store = before.store;
    if (auto read = s.read(); !read) return base::fail(read.error());
  }
  const auto base = s.next_base();
  if (!base) return base::fail(base.error());
  embedded::SystemRandom random;
  embedded::SystemClock clock;
  // The stamp that the log itself would give.
  const std::optional<base::WallTime> last =
      s.newest == base::WallTime{} ? std::nullopt : std::optional(s.newest);
  const base::WallTime time = embedded::Stamper(last, clock.wall(), clock.monotonic(), false)
                                  .stamp(clock.wall(), clock.monotonic())
                                  .time;
  const model::Lineage lineage{random.u64(), *base, time, model::Lineage::Reason::restore};

  if (auto lowered = s.lower_effects(); !lowered) return base::fail(lowered.error());
  embedded::CutOrder order;
  order.aside = s.data + "/" + aside_prefix + std::to_string(base::to_ms(clock.wall()));
  order.segment_id = random.u64();
  order.segment_bytes = segment_bytes_default;
  order.beginning = {*base, model::stream_partition, time, wire::encode_record(lineage)};
  if (auto done = embedded::cut_log(s.disk, s.diagnosis.log, s.survey, order); !done)
    return base::fail(done.error());
  const bool moved = !s.survey.unfinished.empty() || s.survey.damage->file < s.survey.files.size();
  return Cut{moved ? order.aside : "", *base};
}

}  // namespace tidings::server
