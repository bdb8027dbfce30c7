// B8 of performance.md, as far as the log goes: closed-loop writers of 200 B records, each with one record in
// flight, told after the sync; against a bare loop of pwrite + fdatasync with groups of the same size, run
// right after; then recovery.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <semaphore>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "base/thread_executor.h"
#include "bench/fold_store.h"
#include "bench/report.h"
#include "engine/embedded/embedded_log.h"
#include "engine/embedded/posix_disk.h"
#include "ports/clock.h"
#include "ports/random.h"

namespace tidings::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::duration;
using std::chrono::nanoseconds;

constexpr size_t payload_bytes = 200;
constexpr int slices = 8;

class MachineClock : public ports::Clock {
 public:
  base::WallTime wall() const override {
    return base::wall_from_ms(std::chrono::duration_cast<std::chrono::milliseconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count());
  }
  base::MonotonicTime monotonic() const override {
    return base::MonotonicTime(SteadyClock::now().time_since_epoch());
  }
};

class CountingRandom : public ports::Random {
 public:
  void fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(++next_ * 151);
  }

 private:
  uint64_t next_ = 0;
};

// Latencies in µs, of each operation.
struct Measured {
  double records_per_s = 0, p50_us = 0, p99_us = 0, group_records = 0;
};

double percentile(std::vector<float>& sorted, double share) {
  if (sorted.empty()) return 0;
  return static_cast<double>(
      sorted[std::min(sorted.size() - 1, static_cast<size_t>(share * static_cast<double>(sorted.size())))]);
}

// What all slices of one side gave together.
struct Tally {
  std::vector<float> latencies;  // us
  double seconds = 0, records = 0, groups = 0;

  Measured measured() {
    std::sort(latencies.begin(), latencies.end());
    return {records / seconds, percentile(latencies, 0.5), percentile(latencies, 0.99), records / groups};
  }
};

class LogRun {
 public:
  LogRun(const std::string& directory, base::Registry& metrics) : metrics_(metrics), executor_("log") {
    auto log = embedded::EmbeddedLog::open({.disk = disk_,
                                            .directory = directory,
                                            .clock = clock_,
                                            .random = random_,
                                            .executor = executor_,
                                            .limits = limits_,
                                            .metrics = metrics,
                                            .fatal = [](const std::string& sentence) {
                                              fmt::print(stderr, "{}\n", sentence);
                                              std::_Exit(1);
                                            }});
    if (!log) {
      fmt::print(stderr, "{}\n", log.error().sentence);
      std::exit(1);
    }
    log_ = *std::move(log);
  }
  ~LogRun() {
    std::binary_semaphore closed(0);
    log_->close([&] { closed.release(); });
    closed.acquire();
    executor_.stop();
  }

  void listen() {
    log_->read(log_->end(), [this](ports::LogBatch batch) {
      told_.fetch_add(batch.records.size(), std::memory_order_release);
      told_.notify_one();
    });
  }

  // Keeps `writers` records in flight for `time`. Records are told of in the order in which they were
  // appended, so the oldest times belong to the next batch.
  void write(size_t writers, duration<double> time, Tally& tally) {
    std::vector<SteadyClock::time_point> appended(writers);  // by record number modulo writers
    const uint64_t groups_before = groups(), sent_before = sent_;
    const auto begin = SteadyClock::now();
    for (bool going = true; going || answered_ < sent_;) {
      if (going) {
        for (const auto now = SteadyClock::now(); sent_ < answered_ + writers; ++sent_) {
          appended[sent_ % writers] = now;
          if (!append()) std::_Exit(2);
        }
      }
      uint64_t told = told_.load(std::memory_order_acquire);
      while (told == answered_) {
        told_.wait(told, std::memory_order_acquire);
        told = told_.load(std::memory_order_acquire);
      }
      const auto now = SteadyClock::now();
      for (; answered_ < told; ++answered_) {
        tally.latencies.push_back(duration<float, std::micro>(now - appended[answered_ % writers]).count());
      }
      going = now - begin < time;
    }
    tally.seconds += duration<double>(SteadyClock::now() - begin).count();
    tally.records += static_cast<double>(sent_ - sent_before);
    tally.groups += static_cast<double>(groups() - groups_before);
  }

  // Reads everything; records.
  size_t read_all() {
    const uint64_t last = log_->end().value - 1;
    size_t records = 0;
    std::binary_semaphore done(0);
    log_->read({1}, [&](ports::LogBatch batch) {
      records += batch.records.size();
      if (batch.records.back().position.value == last) done.release();
    });
    done.acquire();
    return records;
  }

 private:
  uint64_t groups() { return metrics_.counter("tidings_embedded_log_groups_total").value(); }
  bool append() {
    std::vector<ports::Log::Append> records;
    records.push_back({{1}, std::string(payload_bytes, 'm')});
    return log_->append(std::move(records)) == std::nullopt;
  }

  base::Registry& metrics_;
  embedded::PosixDisk disk_;
  MachineClock clock_;
  CountingRandom random_;
  base::Limits limits_;
  base::ThreadExecutor executor_;
  std::unique_ptr<embedded::EmbeddedLog> log_;
  uint64_t sent_ = 0, answered_ = 0;
  std::atomic<uint64_t> told_{0};
};

// The floor: what the disk takes for groups of this size, one after another, in a preallocated file.
void raw(const std::string& path, double group_records, duration<double> time, Tally& tally) {
  const size_t bytes = static_cast<size_t>(group_records * (payload_bytes + 28)) + 24;
  constexpr off_t file_bytes = 256 << 20;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd == -1 || ::posix_fallocate(fd, 0, file_bytes) != 0 || ::fsync(fd) != 0) std::_Exit(3);
  const std::string group(bytes, 'r');
  const auto begin = SteadyClock::now();
  off_t at = 0;
  double written = 0;
  for (auto now = begin; now - begin < time; ++written) {
    if (at + static_cast<off_t>(bytes) > file_bytes) at = 0;
    if (::pwrite(fd, group.data(), bytes, at) != static_cast<ssize_t>(bytes) || ::fdatasync(fd) != 0)
      std::_Exit(3);
    at += static_cast<off_t>(bytes);
    const auto after = SteadyClock::now();
    tally.latencies.push_back(duration<float, std::micro>(after - now).count());
    now = after;
  }
  tally.seconds += duration<double>(SteadyClock::now() - begin).count();
  tally.records += written * group_records;
  tally.groups += written;
  ::close(fd);
  ::unlink(path.c_str());
}

struct Row {
  size_t writers;
  Measured log, floor;
};

struct Recovery {
  double mebibytes = 0, open_mb_s = 0, read_mb_s = 0;
};

Recovery recover(const std::string& directory) {
  double bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    bytes += static_cast<double>(entry.file_size());
  }
  base::Registry metrics;
  const auto begin = SteadyClock::now();
  LogRun run(directory, metrics);
  const auto open = SteadyClock::now();
  run.read_all();
  const auto read = SteadyClock::now();
  const double megabytes = bytes / 1e6;
  return {bytes / (1 << 20), megabytes / duration<double>(open - begin).count(),
          megabytes / duration<double>(read - open).count()};
}

int measure(bool json, bool quick, const std::string& where) {
  const duration<double> time(quick ? 2.0 : 8.0);
  const std::filesystem::path root =
      std::filesystem::path(where) / fmt::format("tidings-bench-log-{}", ::getpid());
  std::filesystem::create_directories(root);
  std::vector<Row> rows;
  Recovery recovery;
  for (const size_t writers : {1u, 16u, 256u, 4096u}) {
    const std::string directory = (root / std::to_string(writers)).string();
    Tally log, floor;
    {
      base::Registry metrics;
      LogRun run(directory, metrics);
      run.listen();
      // In turns, because the machine drifts.
      for (int slice = 0; slice < slices; ++slice) {
        run.write(writers, time / slices, log);
        raw((root / "raw").string(), log.records / log.groups, time / slices / 2, floor);
      }
    }
    const Row row{writers, log.measured(), floor.measured()};
    rows.push_back(row);
    if (!json) {
      if (rows.size() == 1) {
        fmt::print("{:>8} {:>10} {:>12} {:>9} {:>9} | {:>12} {:>9} {:>9} | {:>6} {:>6}\n", "writers",
                   "per group", "records/s", "p50 us", "p99 us", "raw rec/s", "p50 us", "p99 us", "rate",
                   "p99");
      }
      fmt::print(
          "{:>8} {:>10.1f} {:>12.0f} {:>9.0f} {:>9.0f} | {:>12.0f} {:>9.0f} {:>9.0f} | {:>6.2f} {:>6.2f}\n",
          writers, row.log.group_records, row.log.records_per_s, row.log.p50_us, row.log.p99_us,
          row.floor.records_per_s, row.floor.p50_us, row.floor.p99_us,
          row.log.records_per_s / row.floor.records_per_s, row.log.p99_us / row.floor.p99_us);
      std::fflush(stdout);
    }
    if (writers == 4096) recovery = recover(directory);
    std::filesystem::remove_all(directory);
  }
  std::filesystem::remove_all(root);

  const Row& last = rows.back();
  const uint64_t messages = quick ? 100'000 : 1'000'000;
  const double fold_rate = run_fold(messages);
  const StoreCost busy = run_store(100, messages), quiet = run_store(messages / 2, messages / 2);
  if (!json) {
    fmt::print("recovery of {:.0f} MiB: verified at {:.0f} MB/s, then read at {:.0f} MB/s\n",
               recovery.mebibytes, recovery.open_mb_s, recovery.read_mb_s);
    fmt::print("fold alone: {:.0f} records/s\n", fold_rate);
    fmt::print("store, busy conversations:  {:.2f} keys and {:.0f} bytes per message\n",
               busy.keys_per_message, busy.bytes_per_message);
    fmt::print("store, quiet conversations: {:.2f} keys and {:.0f} bytes per message\n",
               quiet.keys_per_message, quiet.bytes_per_message);
    fmt::print("{}\nlog: {:.0f} records/s with 4096 writers, {:.2f} of the raw {:.0f}\n", machine(),
               last.log.records_per_s, last.log.records_per_s / last.floor.records_per_s,
               last.floor.records_per_s);
    return 0;
  }
  std::vector<Object> details;
  for (const Row& row : rows) {
    Object detail;
    detail.count("writers", row.writers).number("group_records", row.log.group_records);
    detail.number("records_per_s", row.log.records_per_s).number("p50_us", row.log.p50_us);
    detail.number("p99_us", row.log.p99_us).number("raw_records_per_s", row.floor.records_per_s);
    detail.number("raw_p50_us", row.floor.p50_us).number("raw_p99_us", row.floor.p99_us);
    details.push_back(detail);
  }
  Object out = figure("log", last.log.records_per_s, "records/s", last.floor.records_per_s);
  out.number("p99_ratio", last.log.p99_us / last.floor.p99_us)
      .number("recovery_mb_per_s", recovery.open_mb_s);
  out.number("read_mb_per_s", recovery.read_mb_s).number("recovery_mib", recovery.mebibytes);
  out.number("fold_records_per_s", fold_rate);
  out.number("busy_keys_per_message", busy.keys_per_message)
      .number("busy_bytes_per_message", busy.bytes_per_message);
  out.number("quiet_keys_per_message", quiet.keys_per_message)
      .number("quiet_bytes_per_message", quiet.bytes_per_message);
  fmt::print("{}\n", out.list("writers", details).json());
  return 0;
}

}  // namespace
}  // namespace tidings::bench

int main(int argc, char** argv) {
  CLI::App app("B8: the log");
  bool json = false, quick = false, fold_only = false;
  std::string where = ".";
  app.add_flag("--json", json, "one object on one line");
  app.add_flag("--quick", quick, "at most 30 s");
  app.add_flag("--fold", fold_only, "the fold alone, for profiles");
  app.add_option("--directory", where, "where the files go; must be on the disk that is measured");
  CLI11_PARSE(app, argc, argv);
  if (fold_only) {
    fmt::print("fold alone: {:.0f} records/s\n", tidings::bench::run_fold(quick ? 100'000 : 1'000'000));
    return 0;
  }
  return tidings::bench::measure(json, quick, where);
}
