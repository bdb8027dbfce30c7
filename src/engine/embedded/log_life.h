// One life of an embedded log on a simulated disk, for its tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/embedded/embedded_log.h"
#include "engine/memory/memory_disk.h"
#include "test/contract/fakes.h"

namespace tidings::embedded {

using contract::FakeClock;
using contract::HandExecutor;
using contract::SeededRandom;
using memory::DiskCall;
using memory::MemoryDisk;
using model::Position;

inline const std::string segment_1 = "/log/0000000001.log";
inline const std::string segment_2 = "/log/0000000002.log";

using Records = std::map<uint64_t, std::string>;  // position → payload

// One life of a process on a disk.
class Life {
 public:
  explicit Life(MemoryDisk& disk, uint64_t segment_bytes = 64 * 1024, uint64_t seed = 1)
      : disk_(disk), segment_bytes_(segment_bytes), random_(seed) {}

  base::Status start(uint64_t known_below = 0, uint64_t verify_from = 0) {
    auto opened =
        EmbeddedLog::open({.disk = disk_,
                           .directory = "/log",
                           .clock = clock_,
                           .random = random_,
                           .executor = executor,
                           .limits = limits,
                           .metrics = metrics,
                           .fatal = [this](std::string sentence) { fatals.push_back(std::move(sentence)); },
                           .known_below = {known_below},
                           .verify_from = {verify_from},
                           .segment_bytes = segment_bytes_,
                           .free_bytes_min = free_bytes_min});
    if (!opened) return base::fail(opened.error());
    log = *std::move(opened);
    return {};
  }
  void read(uint64_t from = 1) {
    log->read({from}, [this](ports::LogBatch batch) {
      for (auto& record : batch.records) {
        EXPECT_TRUE(seen.emplace(record.position.value, std::move(record.payload)).second);
      }
    });
  }
  std::optional<wire::Code> append(std::string payload) {
    std::vector<ports::Log::Append> records;
    records.push_back({{3}, std::move(payload)});
    return log->append(std::move(records));
  }
  // One group per payload.
  void append_each(const std::vector<std::string>& payloads) {
    for (const auto& payload : payloads) {
      ASSERT_EQ(append(payload), std::nullopt);
      executor.run_all();
    }
  }

  HandExecutor executor;
  uint64_t free_bytes_min = 0;
  base::Limits limits;
  base::Registry metrics;
  std::vector<std::string> fatals;
  Records seen;
  std::unique_ptr<EmbeddedLog> log;

 private:
  MemoryDisk& disk_;
  uint64_t segment_bytes_;
  FakeClock clock_;
  SeededRandom random_;
};

inline std::vector<std::string> some_payloads(int count, size_t bytes = 100) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i)
    out.push_back(std::to_string(i) + std::string((static_cast<size_t>(i) * 37) % bytes, 'p'));
  return out;
}

// What a start makes of the files: the records, or why it refuses.
inline base::Result<Records> restart(MemoryDisk& disk, uint64_t known_below = 0) {
  Life life(disk);
  if (auto started = life.start(known_below); !started) return base::fail(started.error());
  life.read();
  life.executor.run_all();
  EXPECT_TRUE(life.fatals.empty());
  return life.seen;
}

}  // namespace tidings::embedded
