#include "test/faults/log_judge.h"

#include <deque>

#include <fmt/format.h>

#include "engine/embedded/embedded_log.h"
#include "engine/embedded/system_clock.h"
#include "engine/embedded/system_random.h"
#include "engine/memory/memory_disk.h"

namespace tidings::faults {
namespace {

// Tasks run when asked for.
class Inline : public base::Executor {
 public:
  void post(base::Task task) override { tasks_.push_back(std::move(task)); }
  base::TimerId after(base::nanoseconds, base::Task) override { return 0; }
  void cancel(base::TimerId) override {}
  void run() {
    while (!tasks_.empty()) {
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }

 private:
  std::deque<base::Task> tasks_;
};

struct Opened {
  std::string refused, fatal;
  std::vector<ports::LogRecord> records;
};

Opened open_log(ports::Disk& disk, model::Position known_below, const base::Bytes& append) {
  Opened opened;
  Inline executor;
  embedded::SystemClock clock;
  embedded::SystemRandom random;
  base::Limits limits;
  base::Registry metrics;
  auto log = embedded::EmbeddedLog::open({.disk = disk,
                                          .directory = "log",
                                          .clock = clock,
                                          .random = random,
                                          .executor = executor,
                                          .limits = limits,
                                          .metrics = metrics,
                                          .fatal = [&](std::string sentence) { opened.fatal = sentence; },
                                          .known_below = known_below,
                                          .segment_bytes = 128u << 10});
  if (!log.ok()) {
    opened.refused = log.error().sentence;
    return opened;
  }
  (*log)->read({0}, [&](ports::LogBatch batch) {
    for (auto& record : batch.records) opened.records.push_back(std::move(record));
  });
  executor.run();
  if (!append.empty()) {
    (void)(*log)->append({{{7}, append}});
    executor.run();
  }
  return opened;
}

memory::MemoryDisk::Snapshot snapshot_of(const Files& files) {
  memory::MemoryDisk::Snapshot snapshot;
  snapshot.directories.insert("log");
  for (const auto& [name, content] : files) {
    if (name != "lock") snapshot.files["log/" + name] = content;
  }
  return snapshot;
}

}  // namespace

LogJudge::LogJudge(Files files) : files_(std::move(files)), segments_(find_log(files_)) {
  for (const auto& segment : segments_) {
    for (const auto& group : segment.groups)
      records_.insert(records_.end(), group.records.begin(), group.records.end());
  }
}

LogJudge LogJudge::with_trailer(bool there) const {
  Files files = files_;
  base::Bytes& content = files[last()];
  const auto header =
      embedded::decode_segment_header(base::BytesView(content).substr(0, embedded::segment_header_bytes));
  const uint64_t group = header->first_group + segments_.back().groups.size() - 1;
  const base::Bytes trailer = embedded::encode_trailer(header->seed(), group);
  content.replace(segments_.back().end, embedded::trailer_bytes,
                  there ? trailer : base::Bytes(embedded::trailer_bytes, '\0'));
  return LogJudge(std::move(files));
}

size_t LogJudge::records_until(uint64_t offset) const {
  size_t records = records_.size();
  for (const auto& group : segments_.back().groups) {
    if (group.offset + group.bytes > offset) records -= group.records.size();
  }
  return records;
}

std::string LogJudge::open(const Files& damaged, const Allowed& allowed, model::Position known_below,
                           bool and_append) const {
  memory::MemoryDisk disk;
  const auto before = snapshot_of(damaged);
  disk.restore(before);
  const base::Bytes extra = and_append ? "one more" : "";
  const Opened opened = open_log(disk, known_below, extra);
  if (!opened.fatal.empty()) return "the log ended: " + opened.fatal;
  if (!opened.refused.empty()) {
    ++refused_;
    if (!allowed.refused) return "refused: " + opened.refused;
    if (opened.refused.find("the log is damaged: ") != 0 || opened.refused.find("log") == std::string::npos)
      return "the refusal is not clear: " + opened.refused;
    auto after = disk.snapshot();
    after.files.erase("log/lock");
    if (after.files != before.files) return "it was refused, and changed";
    return "";
  }
  ++opened_;
  auto records = opened.records;
  if (!extra.empty()) {
    if (records.empty() || records.back().payload != extra) return "what was appended does not come";
    records.pop_back();
  }
  if (records.size() != allowed.records && records.size() != allowed.or_records) {
    return fmt::format("it opened with {} of {} records", records.size(), records_.size());
  }
  for (size_t i = 0; i < records.size(); ++i) {
    const auto &is = records[i], &was = records_[i];
    if (is.position != was.position || is.partition != was.partition || is.time != was.time ||
        is.payload != was.payload)
      return fmt::format("record {} is another one", was.position.value);
  }
  if (extra.empty()) return "";
  const Opened again = open_log(disk, known_below, {});
  if (!again.refused.empty()) return "after an append it is refused: " + again.refused;
  if (again.records.size() != records.size() + 1 || again.records.back().payload != extra)
    return "what was appended after the repair is gone";
  return "";
}

}  // namespace tidings::faults
