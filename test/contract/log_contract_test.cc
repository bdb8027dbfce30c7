// What every Log owes its reader (ports/log.h): the embedded log over the machine's files on a thread, and
// over the simulated disk on an executor that the test turns.
#include <condition_variable>
#include <memory>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>

#include "base/thread_executor.h"
#include "engine/embedded/embedded_log.h"
#include "engine/embedded/posix_disk.h"
#include "engine/memory/memory_disk.h"
#include "test/contract/fakes.h"

namespace tidings::contract {
namespace {

using embedded::EmbeddedLog;
using model::Position;
using ports::LogRecord;

// What a reader was handed, from whatever thread.
class Reader {
 public:
  ports::Log::Sink sink() {
    return [this](ports::LogBatch batch) {
      base::MutexLock lock(mutex_);
      EXPECT_FALSE(batch.records.empty());
      for (auto& record : batch.records) {
        if (!records_.empty()) {
          EXPECT_LT(records_.back().position, record.position);
          EXPECT_LE(records_.back().time, record.time);
        }
        EXPECT_LT(record.position, batch.end);
        records_.push_back(std::move(record));
      }
      arrived_.notify_all();
    };
  }
  size_t count() {
    base::MutexLock lock(mutex_);
    return records_.size();
  }
  void wait_for(size_t count) TIDINGS_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<base::Mutex> lock(mutex_);
    arrived_.wait(lock, [&]() TIDINGS_NO_THREAD_SAFETY_ANALYSIS { return records_.size() >= count; });
  }
  std::vector<LogRecord> records() {
    base::MutexLock lock(mutex_);
    return records_;
  }
  std::vector<std::string> payloads() {
    std::vector<std::string> out;
    for (auto& record : records()) out.push_back(record.payload);
    return out;
  }

 private:
  base::Mutex mutex_;
  base::CondVar arrived_;
  std::vector<LogRecord> records_ TIDINGS_GUARDED_BY(mutex_);
};

// A log, and how to make it work, stop and start again.
struct Engine {
  explicit Engine(ports::Disk& disk, std::string directory) : disk(disk), directory(std::move(directory)) {}
  EmbeddedLog::Parts parts(base::Executor& executor) {
    return {.disk = disk,
            .directory = directory,
            .clock = clock,
            .random = random,
            .executor = executor,
            .limits = limits,
            .metrics = metrics,
            .fatal = [](const std::string& sentence) { ADD_FAILURE() << sentence; },
            .verify_from = low,
            .segment_bytes = 64 * 1024,
            .free_bytes_min = free_bytes_min};
  }

  ports::Disk& disk;
  std::string directory;
  FakeClock clock;
  SeededRandom random{1};
  base::Limits limits;
  base::Registry metrics;
  Position low{};
  uint64_t free_bytes_min = 0;
};

struct PosixRoom {
  TemporaryDirectory temporary;
  embedded::PosixDisk posix;
};
class OnAThread : PosixRoom, public Engine {
 public:
  OnAThread() : Engine(posix, temporary.path() + "/data/log") {}
  ~OnAThread() { stop(); }
  ports::Log& start() {
    executor_ = std::make_unique<base::ThreadExecutor>("log");
    log_ = *EmbeddedLog::open(parts(*executor_));
    return *log_;
  }
  void stop() {
    if (!log_) return;
    std::binary_semaphore closed(0);
    log_->close([&] { closed.release(); });
    closed.acquire();
    executor_->stop();
    log_.reset();
  }
  void settle(Reader& reader, size_t count) { reader.wait_for(count); }
  void settle_some(Reader& reader, size_t count) { reader.wait_for(count); }

 private:
  std::unique_ptr<base::ThreadExecutor> executor_;
  std::unique_ptr<EmbeddedLog> log_;
};

struct MemoryRoom {
  memory::MemoryDisk memory;
};
class ByHand : MemoryRoom, public Engine {
 public:
  ByHand() : Engine(memory, "/data/log") {}
  ports::Log& start() {
    log_ = *EmbeddedLog::open(parts(executor_));
    return *log_;
  }
  void stop() {
    bool closed = false;
    log_->close([&] { closed = true; });
    executor_.run_all();
    EXPECT_TRUE(closed);
    log_.reset();
  }
  void settle(Reader& reader, size_t count) {
    executor_.run_all();
    EXPECT_EQ(reader.count(), count);
  }
  void settle_some(Reader&, size_t) { executor_.run_all(); }

 private:
  HandExecutor executor_;
  std::unique_ptr<EmbeddedLog> log_;
};

template <class EngineUnderTest>
class LogContract : public ::testing::Test {
 public:
  static std::optional<wire::Code> append(ports::Log& log, std::string payload, uint16_t partition = 7) {
    std::vector<ports::Log::Append> records;
    records.push_back({{partition}, std::move(payload)});
    return log.append(std::move(records));
  }
  EngineUnderTest engine;
};
using Engines = ::testing::Types<OnAThread, ByHand>;
TYPED_TEST_SUITE(LogContract, Engines);

TYPED_TEST(LogContract, hands_out_what_was_appended_in_order_with_position_partition_and_stamp) {
  ports::Log& log = this->engine.start();
  EXPECT_EQ(log.end(), Position{1});
  Reader reader;
  log.read({1}, reader.sink());
  EXPECT_EQ(this->append(log, "one", 5), std::nullopt);
  EXPECT_EQ(this->append(log, "", 1023), std::nullopt);
  EXPECT_EQ(this->append(log, std::string("\0\xff", 2), 0xFFFF), std::nullopt);
  this->engine.settle(reader, 3);
  const auto records = reader.records();
  EXPECT_EQ(records[0].position, Position{1});
  EXPECT_EQ(records[0].payload, "one");
  EXPECT_EQ(records[0].partition.value, 5);
  EXPECT_EQ(records[0].time, this->engine.clock.wall_now);
  EXPECT_EQ(records[1].payload, "");
  EXPECT_EQ(records[1].partition.value, 1023);
  EXPECT_EQ(records[2].payload, std::string("\0\xff", 2));
  EXPECT_EQ(records[2].partition, model::stream_partition);
  EXPECT_GT(log.end(), records[2].position);
  this->engine.stop();
}

TYPED_TEST(LogContract, records_of_one_append_stand_next_to_each_other) {
  ports::Log& log = this->engine.start();
  Reader reader;
  log.read({1}, reader.sink());
  for (int i = 0; i < 3000; ++i) {
    std::vector<ports::Log::Append> pair;
    pair.push_back({{1}, std::string(50, 'a')});
    pair.push_back({{1}, std::string(50, 'b')});
    ASSERT_EQ(log.append(std::move(pair)), std::nullopt);
  }
  this->engine.settle(reader, 6000);
  const auto records = reader.records();
  for (size_t i = 0; i < records.size(); i += 2) {
    ASSERT_EQ(records[i].payload[0], 'a');
    ASSERT_EQ(records[i + 1].payload[0], 'b');
    ASSERT_EQ(records[i + 1].position.value, records[i].position.value + 1);
  }
  this->engine.stop();
}

TYPED_TEST(LogContract,
           after_a_restart_the_same_records_come_from_any_position_and_new_ones_follow_without_a_seam) {
  constexpr size_t first_run = 2000;  // some segments of 64 KiB
  std::vector<LogRecord> before;
  {
    ports::Log& log = this->engine.start();
    Reader reader;
    log.read({1}, reader.sink());
    for (size_t i = 0; i < first_run; ++i) {
      ASSERT_EQ(this->append(log, "record " + std::to_string(i) + std::string(i % 200, '.')), std::nullopt);
    }
    this->engine.settle(reader, first_run);
    before = reader.records();
    this->engine.stop();
  }
  for (const size_t from : {size_t{0}, size_t{1}, size_t{777}, first_run - 1, first_run}) {
    ports::Log& log = this->engine.start();
    EXPECT_EQ(log.end().value, before.back().position.value + 1);
    Reader reader;
    const Position position = from == 0               ? Position{0}
                              : from == before.size() ? log.end()
                                                      : before[from].position;
    this->append(log, "while it starts");
    log.read(position, reader.sink());
    this->append(log, "new");
    const size_t expected = before.size() - from + 2;
    this->engine.settle(reader, expected);
    const auto after = reader.records();
    for (size_t i = 0; i + 2 < expected; ++i) {
      ASSERT_EQ(after[i].position, before[from + i].position);
      ASSERT_EQ(after[i].payload, before[from + i].payload);
      ASSERT_EQ(after[i].time, before[from + i].time);
      ASSERT_EQ(after[i].partition, before[from + i].partition);
    }
    EXPECT_EQ(after.back().payload, "new");
    EXPECT_GT(after.back().position, before.back().position);
    before.insert(before.end(), after.end() - 2, after.end());
    this->engine.stop();
  }
}

TYPED_TEST(LogContract, refuses_before_anything_is_written_when_too_much_waits) {
  this->engine.limits.log_queue_bytes_max = 1000;
  ports::Log& log = this->engine.start();
  EXPECT_EQ(this->append(log, std::string(1000, 'x')), wire::Code::busy);
  Reader reader;
  log.read({1}, reader.sink());
  EXPECT_EQ(this->append(log, "small"), std::nullopt);
  this->engine.settle(reader, 1);
  EXPECT_EQ(reader.payloads(), (std::vector<std::string>{"small"}));
  this->engine.stop();
}

TYPED_TEST(LogContract, refuses_what_no_group_can_hold) {
  this->engine.limits.log_group_records_max = 2;
  ports::Log& log = this->engine.start();
  EXPECT_EQ(this->append(log, std::string(64 * 1024, 'x')), wire::Code::too_large);
  std::vector<ports::Log::Append> three(3);
  EXPECT_EQ(log.append(std::move(three)), wire::Code::too_large);
  this->engine.stop();
}

TYPED_TEST(LogContract, time_never_goes_back_and_is_no_newer_than_the_next_record) {
  ports::Log& log = this->engine.start();
  Reader reader;
  log.read({1}, reader.sink());
  const auto asked = log.time();
  this->append(log, "a");
  this->engine.settle(reader, 1);
  EXPECT_GE(reader.records()[0].time, asked);
  this->engine.stop();
  this->engine.clock.wall_now -= std::chrono::hours(5);
  EXPECT_GE(this->engine.start().time(), asked) << "after a restart with a clock that went back";
  this->engine.stop();
}

TYPED_TEST(LogContract, forgets_only_what_it_was_told_to_and_starts_with_what_it_kept) {
  constexpr size_t count = 2000;  // some segments of 64 KiB
  ports::Log& log = this->engine.start();
  Reader reader;
  log.read({1}, reader.sink());
  for (size_t i = 0; i < count; ++i) {
    ASSERT_EQ(this->append(log, "record " + std::to_string(i) + std::string(i % 200, '.')), std::nullopt);
    if (i % 50 == 0) this->engine.settle(reader, i + 1);
  }
  this->engine.settle(reader, count);
  const auto before = reader.records();
  const auto segments = [this] { return this->engine.metrics.values().at("tidings_embedded_log_segments"); };
  const auto segments_before = segments();
  EXPECT_GT(segments_before, 2);
  this->engine.low = before[count / 2].position;
  log.trim(this->engine.low);
  log.trim({1});
  this->engine.stop();
  EXPECT_LT(segments(), segments_before);
  EXPECT_EQ(this->engine.metrics.values().at("tidings_embedded_log_bytes"), segments() * 64 * 1024);

  ports::Log& again = this->engine.start();
  EXPECT_EQ(again.end().value, before.back().position.value + 1);
  Reader kept;
  again.read({1}, kept.sink());
  this->append(again, "new");
  for (size_t have = 0; have == 0 || kept.payloads().back() != "new";) {
    this->engine.settle_some(kept, ++have);
    have = kept.count();
  }
  auto records = kept.records();
  EXPECT_LE(records.front().position, this->engine.low);
  EXPECT_GT(records.front().position, Position{1}) << "nothing was forgotten";
  records.pop_back();
  for (size_t i = 0; i < records.size(); ++i) {
    ASSERT_EQ(records[i].position, before[before.size() - records.size() + i].position);
    ASSERT_EQ(records[i].payload, before[before.size() - records.size() + i].payload);
  }
  this->engine.stop();
}

TYPED_TEST(LogContract, on_a_full_disk_it_is_read_and_takes_the_starts_own_record_and_nothing_more) {
  this->engine.free_bytes_min = 1ull << 62;
  if (auto* memory = dynamic_cast<memory::MemoryDisk*>(&this->engine.disk)) memory->set_capacity(1 << 30);
  ports::Log& log = this->engine.start();
  Reader reader;
  EXPECT_EQ(this->append(log, "the start's own"), std::nullopt);
  EXPECT_EQ(log.refuses(), std::nullopt);
  log.read({1}, reader.sink());
  this->engine.settle(reader, 1);
  EXPECT_EQ(log.refuses(), wire::Code::storage_full);
  EXPECT_EQ(this->append(log, "one"), wire::Code::storage_full);
  this->engine.stop();
  EXPECT_EQ(reader.count(), 1u);
}

TYPED_TEST(LogContract, a_second_opener_is_refused_in_a_plain_sentence) {
  this->engine.start();
  HandExecutor other;
  const auto second = EmbeddedLog::open(this->engine.parts(other));
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().sentence.find("in use by another server"), std::string::npos);
  this->engine.stop();
  EXPECT_TRUE(EmbeddedLog::open(this->engine.parts(other)).ok());
}

TEST(LogOnAThread, keeps_the_order_of_each_of_several_writers) {
  OnAThread engine;
  ports::Log& log = engine.start();
  Reader reader;
  constexpr int writers = 4, each = 5000;
  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w) {
    threads.emplace_back([&log, w] {
      for (int i = 0; i < each; ++i) {
        std::vector<ports::Log::Append> one;
        one.push_back({{static_cast<uint16_t>(w)}, std::to_string(i)});
        ASSERT_EQ(log.append(std::move(one)), std::nullopt);
      }
    });
  }
  log.read({1}, reader.sink());
  for (auto& thread : threads) thread.join();
  reader.wait_for(writers * each);
  int next[writers] = {};
  for (const auto& record : reader.records()) {
    ASSERT_EQ(record.payload, std::to_string(next[record.partition.value]++));
  }
  engine.stop();
}

TEST(LogOnAThread, writes_what_it_took_before_it_closes) {
  OnAThread engine;
  ports::Log& log = engine.start();
  for (int i = 0; i < 1000; ++i) {
    std::vector<ports::Log::Append> one;
    one.push_back({{1}, std::to_string(i)});
    ASSERT_EQ(log.append(std::move(one)), std::nullopt);
  }
  engine.stop();
  Reader reader;
  ports::Log& again = engine.start();
  EXPECT_EQ(again.end(), Position{1001});
  again.read({1}, reader.sink());
  reader.wait_for(1000);
  engine.stop();
}

}  // namespace
}  // namespace tidings::contract
