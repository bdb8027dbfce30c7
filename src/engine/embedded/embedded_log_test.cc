// The embedded log reading and writing, and what it makes of damaged files, on the simulated disk.
#include <cstring>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "engine/embedded/log_life.h"

namespace tidings::embedded {
namespace {

using ::testing::HasSubstr;

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
    EXPECT_EQ(disk.snapshot().files[segment_1].substr(written.end - 20).find_first_not_of('\0'),
              std::string::npos)
        << "the remains are still there";
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
          "data directory, or the undamaged file; `tidings doctor` says what would be lost by cutting the "
          "log "
          "there");
  EXPECT_EQ(disk.snapshot().files, before);
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

TEST(EmbeddedLog, what_is_appended_and_held_goes_into_one_group_when_it_is_released) {
  for (const bool closes : {false, true}) {
    MemoryDisk disk;
    Life life(disk);
    ASSERT_TRUE(life.start());
    life.read();
    life.executor.run_all();
    for (const char* payload : {"one", "two", "three"}) {
      std::vector<ports::Log::Append> records;
      records.push_back({{3}, payload});
      ASSERT_EQ(life.log->append_held(std::move(records)), std::nullopt);
      life.executor.run_all();
      EXPECT_TRUE(life.seen.empty());
    }
    closes ? life.log->close([] {}) : life.log->release();
    life.executor.run_all();
    EXPECT_EQ(life.metrics.counter("tidings_embedded_log_groups_total", "").value(), 1u);
    life.log.reset();
    EXPECT_EQ(*restart(disk), (Records{{1, "one"}, {2, "two"}, {3, "three"}}));
  }
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
