// The embedded log through crashes, power cuts and damaged files, on the simulated disk.
#include "engine/embedded/embedded_log.h"

#include <cstring>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "engine/memory/memory_disk.h"
#include "test/contract/fakes.h"

namespace tidings::embedded {
namespace {

using contract::FakeClock;
using contract::HandExecutor;
using contract::SeededRandom;
using memory::DiskCall;
using memory::MemoryDisk;
using model::Position;
using ::testing::HasSubstr;

const std::string segment_1 = "/log/0000000001.log";
const std::string segment_2 = "/log/0000000002.log";

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
                           .segment_bytes = segment_bytes_});
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

std::vector<std::string> some_payloads(int count, size_t bytes = 100) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i)
    out.push_back(std::to_string(i) + std::string((static_cast<size_t>(i) * 37) % bytes, 'p'));
  return out;
}

// What a start makes of the files: the records, or why it refuses.
base::Result<Records> restart(MemoryDisk& disk, uint64_t known_below = 0) {
  Life life(disk);
  if (auto started = life.start(known_below); !started) return base::fail(started.error());
  life.read();
  life.executor.run_all();
  EXPECT_TRUE(life.fatals.empty());
  return life.seen;
}

// A log of one segment whose groups hold one record each, as a copy of its directory.
struct Written {
  MemoryDisk::Snapshot copy;
  Records records;
  std::map<uint64_t, uint64_t> group_ends;  // offset behind the group → newest position in it
  uint64_t end = 0;                         // of the last group
};
Written write_log(const std::vector<std::string>& payloads) {
  Written out;
  MemoryDisk disk;
  Life life(disk, 24 * 1024);
  EXPECT_TRUE(life.start());
  life.read();
  life.append_each(payloads);
  out.records = life.seen;
  out.end = segment_header_bytes;
  for (const auto& [position, payload] : out.records) {
    out.end += group_header_bytes + encoded_bytes(payload.size());
    out.group_ends[out.end] = position;
  }
  life.log.reset();
  out.copy = disk.snapshot();
  return out;
}

TEST(EmbeddedLog, cut_by_hand_at_any_byte_of_its_last_8_KiB_starts_with_whole_groups_or_refuses) {
  const Written written = write_log(some_payloads(120));
  const uint64_t last = written.records.rbegin()->first;
  ASSERT_GT(written.end, segment_header_bytes + 8192);
  for (uint64_t size = written.end - 8192; size <= written.end + trailer_bytes; ++size) {
    MemoryDisk disk;
    auto copy = written.copy;
    copy.files[segment_1].resize(size);
    disk.restore(copy);
    Records whole;
    for (const auto& [end, position] : written.group_ends) {
      if (end <= size) whole[position] = written.records.at(position);
    }
    if (!whole.contains(last)) {
      const auto known = restart(disk, last);
      ASSERT_FALSE(known.ok()) << size;
      ASSERT_THAT(known.error().sentence, HasSubstr("already folded"));
    }
    const auto found = restart(disk);
    ASSERT_TRUE(found.ok()) << size << found.error().sentence;
    ASSERT_EQ(*found, whole) << size;
  }
}

TEST(EmbeddedLog, goes_on_behind_a_torn_tail_that_it_cut) {
  const Written written = write_log(some_payloads(40));
  for (const uint64_t cut : {1u, 17u, 30u, 60u}) {
    MemoryDisk disk;
    auto copy = written.copy;
    auto& bytes = copy.files[segment_1];
    // The last group was being written when the process died: half of it is garbage, and it has no trailer.
    bytes.replace(written.end - cut, cut + trailer_bytes, std::string(cut + trailer_bytes, '\x55'));
    disk.restore(copy);
    Life life(disk);
    ASSERT_TRUE(life.start());
    life.read();
    life.append_each({"after", "the cut"});
    auto expected = written.records;
    expected.rbegin()->second = "after";
    expected[expected.rbegin()->first + 1] = "the cut";
    EXPECT_EQ(life.seen, expected);
    life.log.reset();
    SeededRandom random(cut);
    disk.power_cut(random);
    EXPECT_EQ(*restart(disk), expected);
  }
}

TEST(EmbeddedLog, refuses_every_flipped_bit_up_to_the_last_synced_group) {
  const Written written = write_log(some_payloads(12, 40));
  int flips = 0;
  for (uint64_t byte = 0; byte < written.end; ++byte) {
    // The rest of the header's page is zeros under one checksum.
    if (byte >= 128 && byte + 4 < segment_header_bytes && byte % 61 != 0) continue;
    for (uint64_t bit = 0; bit < 8; ++bit) {
      MemoryDisk disk;
      disk.restore(written.copy);
      ASSERT_TRUE(disk.flip_bit(segment_1, byte * 8 + bit));
      const auto found = restart(disk);
      ASSERT_FALSE(found.ok()) << "byte " << byte << " bit " << bit;
      ASSERT_THAT(found.error().sentence, HasSubstr("the log is damaged: " + segment_1 + " at byte "));
      ++flips;
    }
  }
  EXPECT_GT(flips, 5000);
}

TEST(EmbeddedLog, loses_nothing_to_a_flipped_bit_in_the_trailer) {
  const Written written = write_log(some_payloads(12));
  for (uint64_t bit = 0; bit < trailer_bytes * 8; ++bit) {
    MemoryDisk disk;
    disk.restore(written.copy);
    ASSERT_TRUE(disk.flip_bit(segment_1, written.end * 8 + bit));
    ASSERT_EQ(*restart(disk), written.records);
  }
}

TEST(EmbeddedLog, says_where_the_damage_is_and_changes_nothing) {
  const Written written = write_log(some_payloads(12));
  MemoryDisk disk;
  disk.restore(written.copy);
  const uint64_t second_group = written.group_ends.begin()->first;
  ASSERT_TRUE(disk.flip_bit(segment_1, (second_group + 30) * 8));
  const auto before = disk.snapshot().files;
  EXPECT_EQ(
      restart(disk).error().sentence,
      "the log is damaged: /log/0000000001.log at byte " + std::to_string(second_group) +
          ": group 2 is unreadable, but it was synced once. Nothing was changed; put back a backup of the "
          "data directory, or the undamaged file");
  EXPECT_EQ(disk.snapshot().files, before);
}

TEST(EmbeddedLog, what_a_killed_process_wrote_counts_and_is_synced_before_it_is_handed_out) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    MemoryDisk disk;
    SeededRandom random(seed);
    struct Killed {};
    {
      Life life(disk);
      ASSERT_TRUE(life.start());
      life.read();
      life.append_each({"one"});
      disk.on_call = [&](const DiskCall& call) {
        if (call.kind == DiskCall::Kind::sync && call.moment == DiskCall::Moment::before) throw Killed();
      };
      life.append("two");
      EXPECT_THROW(life.executor.run_all(), Killed);
      EXPECT_EQ(life.seen.size(), 1u);
    }
    disk.on_call = nullptr;
    disk.crash();
    const Records found = *restart(disk);
    EXPECT_EQ(found, (Records{{1, "one"}, {2, "two"}}));
    disk.power_cut(random);
    EXPECT_EQ(*restart(disk), found) << "it was handed out before it was synced";
  }
}

// Appends at random, dies at a random call of the disk, starts again, some times over: what was handed out
// once is there under its position, and nothing is there that was not appended.
void lives_on_a_disk(uint64_t seed, bool power) {
  struct Death {};
  MemoryDisk disk;
  SeededRandom random(seed);
  Records handed_out;
  std::map<std::string, int> appended;
  uint64_t death_in = 0;
  int number = 0;
  disk.on_call = [&](const DiskCall&) {
    if (--death_in > 0) return;
    power ? disk.power_cut(random) : disk.crash();
    death_in = UINT64_MAX;
    throw Death();
  };
  for (int life_number = 0; life_number < 12; ++life_number) {
    death_in = 1 + random.below(life_number % 3 == 0 ? 40 : 400);
    Life life(disk, 16 * 1024, seed * 100 + static_cast<uint64_t>(life_number));
    try {
      const auto started = life.start(handed_out.empty() ? 0 : handed_out.rbegin()->first);
      ASSERT_TRUE(started.ok()) << "seed " << seed << ": " << started.error().sentence;
      life.read();
      for (;;) {
        for (uint64_t n = random.below(6); n > 0; --n) {
          const std::string payload = std::to_string(++number) + std::string(random.below(900), 'x');
          if (life.append(payload) == std::nullopt) appended[payload] = life_number;
        }
        for (uint64_t n = random.below(4); n > 0; --n) life.executor.run_one();
      }
    } catch (const Death&) {
    }
    ASSERT_TRUE(life.fatals.empty()) << life.fatals[0];
    for (const auto& [position, payload] : life.seen) {
      ASSERT_TRUE(appended.contains(payload)) << "seed " << seed;
      const auto [known, is_new] = handed_out.emplace(position, payload);
      ASSERT_EQ(known->second, payload) << "seed " << seed << ": position " << position << " was given twice";
    }
  }
  disk.on_call = nullptr;
  Life life(disk, 16 * 1024, seed);
  ASSERT_TRUE(life.start());
  life.read();
  life.executor.run_all();
  std::map<std::string, int> times;
  for (const auto& [position, payload] : life.seen) {
    ASSERT_EQ(++times[payload], 1);
    ASSERT_TRUE(appended.contains(payload));
  }
  for (const auto& [position, payload] : handed_out) {
    ASSERT_TRUE(life.seen.contains(position)) << "seed " << seed << ": lost " << position;
    ASSERT_EQ(life.seen[position], payload) << "seed " << seed;
  }
  int newest = 0;
  for (const auto& [position, payload] : life.seen) {
    const int here = std::stoi(payload);
    ASSERT_GT(here, newest) << "records changed places";
    newest = here;
  }
}

TEST(EmbeddedLog, loses_nothing_that_was_handed_out_to_power_cuts_at_any_call) {
  for (uint64_t seed = 0; seed < 80 && !HasFatalFailure(); ++seed) lives_on_a_disk(seed, true);
}

TEST(EmbeddedLog, loses_nothing_that_was_handed_out_to_kills_at_any_call) {
  for (uint64_t seed = 0; seed < 40 && !HasFatalFailure(); ++seed) lives_on_a_disk(seed, false);
}

TEST(EmbeddedLog, a_failed_sync_or_write_ends_it_without_an_answer) {
  for (const auto kind : {DiskCall::Kind::sync, DiskCall::Kind::write}) {
    MemoryDisk disk;
    Life life(disk);
    ASSERT_TRUE(life.start());
    life.read();
    life.append_each({"one"});
    disk.fail_next(kind);
    int calls = 0;
    disk.on_call = [&](const DiskCall&) { ++calls; };
    EXPECT_EQ(life.append("two"), std::nullopt);
    life.executor.run_one();
    const int calls_at_failure = calls;
    EXPECT_EQ(life.fatals.size(), 1u);
    EXPECT_THAT(life.fatals[0], HasSubstr("Input/output error"));
    EXPECT_EQ(life.append("three"), wire::Code::internal);
    bool closed = false;
    life.log->close([&] { closed = true; });
    life.executor.run_all();
    EXPECT_TRUE(closed);
    EXPECT_EQ(calls, calls_at_failure) << "it tried the disk again";
    EXPECT_EQ(life.fatals.size(), 1u);
    EXPECT_EQ(life.seen, (Records{{1, "one"}}));
    disk.on_call = nullptr;
    SeededRandom random(5);
    disk.power_cut(random);
    EXPECT_EQ(*restart(disk), (Records{{1, "one"}}));
  }
}

// The page cache goes on showing what a failed sync did not save, and no later sync saves it.
TEST(EmbeddedLog, what_a_failed_sync_left_in_the_page_cache_is_saved_by_the_next_start) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    MemoryDisk disk;
    SeededRandom random(seed);
    {
      Life life(disk);
      ASSERT_TRUE(life.start());
      life.read();
      life.append_each({"one"});
      disk.fail_next(DiskCall::Kind::sync);
      life.append("two");
      life.executor.run_all();
      EXPECT_EQ(life.fatals.size(), 1u);
    }
    disk.crash();
    {
      Life life(disk);
      ASSERT_TRUE(life.start());
      life.read();
      life.append_each({"three"});
      EXPECT_EQ(life.seen, (Records{{1, "one"}, {2, "two"}, {3, "three"}}));
    }
    disk.power_cut(random);
    const auto found = restart(disk, 3);
    ASSERT_TRUE(found.ok()) << found.error().sentence;
    EXPECT_EQ(*found, (Records{{1, "one"}, {2, "two"}, {3, "three"}}));
  }
}

TEST(EmbeddedLog, records_that_wait_behind_a_failure_are_not_written) {
  MemoryDisk disk;
  Life life(disk);
  life.limits.log_group_records_max = 1;
  ASSERT_TRUE(life.start());
  life.read();
  life.append("one");
  life.append("two");
  disk.fail_next(DiskCall::Kind::sync);
  life.executor.run_all();
  EXPECT_TRUE(life.seen.empty());
  EXPECT_EQ(life.fatals.size(), 1u);
}

TEST(EmbeddedLog, a_full_disk_ends_it_and_what_was_handed_out_stays) {
  MemoryDisk disk;
  Life life(disk, 16 * 1024);
  ASSERT_TRUE(life.start());
  life.read();
  disk.set_capacity(40 * 1024);
  int taken = 0;
  while (life.fatals.empty() && taken < 1000) {
    life.append(std::string(500, 'f'));
    life.executor.run_all();
    ++taken;
  }
  EXPECT_THAT(life.fatals.at(0), HasSubstr("No space left"));
  EXPECT_EQ(life.append("more"), wire::Code::internal);
  life.log.reset();
  disk.crash();
  disk.set_capacity(std::nullopt);
  EXPECT_EQ(*restart(disk), life.seen);
}

// Three segments of one group each.
MemoryDisk::Snapshot three_segments() {
  MemoryDisk disk;
  Life life(disk, 16 * 1024);
  EXPECT_TRUE(life.start());
  life.append_each({std::string(9000, '1'), std::string(9000, '2'), std::string(9000, '3')});
  life.log.reset();
  return disk.snapshot();
}

TEST(EmbeddedLog, refuses_a_missing_shortened_or_foreign_segment) {
  const auto copy = three_segments();
  ASSERT_EQ(copy.files.size(), 4u) << "three and the lock";
  const auto sentence = [](const MemoryDisk::Snapshot& changed) {
    MemoryDisk disk;
    disk.restore(changed);
    const auto found = restart(disk);
    return found.ok() ? "it started" : found.error().sentence;
  };
  auto changed = copy;
  changed.files.erase(segment_2);
  EXPECT_THAT(sentence(changed), HasSubstr("/log/0000000003.log is there, but 0000000002.log is missing"));

  changed = copy;
  changed.files[segment_2].resize(9000);
  EXPECT_THAT(sentence(changed),
              HasSubstr("/log/0000000002.log at byte 4096: group 2 is unreadable, but the log goes on"));

  changed = copy;
  changed.files[segment_2] = changed.files[segment_1];
  EXPECT_THAT(sentence(changed), HasSubstr("another file than its header says"));

  changed = copy;
  changed.files[segment_2].clear();
  EXPECT_THAT(sentence(changed), HasSubstr("cut off"));

  changed = copy;
  auto& header = changed.files[segment_1];
  header[8] = 2;
  const uint32_t crc = base::crc32c(base::BytesView(header).substr(0, segment_header_bytes - 4));
  std::memcpy(header.data() + segment_header_bytes - 4, &crc, 4);
  EXPECT_THAT(sentence(changed), HasSubstr("it has log format 2, this version of tidings reads only 1"));
}

TEST(EmbeddedLog, reads_through_old_segments_only_from_where_it_is_told) {
  MemoryDisk disk;
  auto copy = three_segments();
  copy.files[segment_1][5000] ^= 1;
  disk.restore(copy);
  EXPECT_FALSE(restart(disk).ok());
  Life life(disk);
  ASSERT_TRUE(life.start(3, 2));
  life.read(2);
  life.executor.run_all();
  EXPECT_EQ(life.seen.size(), 2u);
  EXPECT_TRUE(life.fatals.empty());
  life.log.reset();

  Life reads_it_all(disk);
  ASSERT_TRUE(reads_it_all.start(3, 2));
  reads_it_all.read(1);
  reads_it_all.executor.run_all();
  EXPECT_TRUE(reads_it_all.seen.empty());
  ASSERT_EQ(reads_it_all.fatals.size(), 1u);
  EXPECT_THAT(reads_it_all.fatals[0], HasSubstr("/log/0000000001.log at byte 4096: group 1 is unreadable"));
}

TEST(EmbeddedLog, reading_catches_up_while_records_come_in) {
  MemoryDisk disk;
  Life life(disk, 16 * 1024);
  ASSERT_TRUE(life.start());
  life.append_each(some_payloads(500, 300));
  life.read(100);
  for (int i = 0; i < 200; ++i) {
    life.append("live " + std::to_string(i));
    life.executor.run_one();
  }
  life.executor.run_all();
  EXPECT_EQ(life.seen.size(), 601u);
  EXPECT_EQ(life.seen.begin()->first, 100u);
  EXPECT_EQ(life.seen.rbegin()->second, "live 199");
}

TEST(EmbeddedLog, tasks_of_a_log_that_is_gone_do_nothing) {
  MemoryDisk disk;
  Life life(disk);
  ASSERT_TRUE(life.start());
  life.read();
  life.append("one");
  life.log.reset();
  life.executor.run_all();
  EXPECT_TRUE(life.seen.empty());
}

TEST(EmbeddedLog, a_clock_that_disagrees_is_counted) {
  MemoryDisk disk;
  HandExecutor executor;
  base::Limits limits;
  base::Registry metrics;
  FakeClock clock;
  SeededRandom random(1);
  const auto log = *EmbeddedLog::open({.disk = disk,
                                       .directory = "/log",
                                       .clock = clock,
                                       .random = random,
                                       .executor = executor,
                                       .limits = limits,
                                       .metrics = metrics,
                                       .fatal = [](const std::string&) {}});
  clock.wall_now += std::chrono::hours(1);
  log->time();
  log->time();
  EXPECT_EQ(metrics.values().at("tidings_embedded_log_clock_alarms_total"), 1);
}

}  // namespace
}  // namespace tidings::embedded
