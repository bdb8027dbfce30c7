// The embedded log through kills, power cuts and failing disks.
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/embedded/log_life.h"

namespace tidings::embedded {
namespace {

using ::testing::HasSubstr;

TEST(EmbeddedLogCrash, what_a_killed_process_wrote_counts_and_is_synced_before_it_is_handed_out) {
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
    const auto later = restart(disk);
    ASSERT_TRUE(later.ok()) << later.error().sentence;
    ASSERT_EQ(*later, found) << "it was handed out before it was synced";
  }
}

TEST(EmbeddedLogCrash,
     a_segment_whose_name_a_killed_process_had_not_synced_stays_when_the_power_fails_later) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    MemoryDisk disk;
    SeededRandom random(seed);
    struct Killed {};
    {
      Life life(disk, 16 * 1024);
      ASSERT_TRUE(life.start());
      life.append_each({std::string(9000, '1')});
      disk.on_call = [&](const DiskCall& call) {
        if (call.kind == DiskCall::Kind::sync_directory) throw Killed();
      };
      life.append(std::string(9000, '2'));
      EXPECT_THROW(life.executor.run_all(), Killed);
    }
    disk.on_call = nullptr;
    disk.crash();
    Records found;
    {
      Life life(disk, 16 * 1024);
      ASSERT_TRUE(life.start());
      life.read();
      life.append_each({"into the new segment"});
      found = life.seen;
      EXPECT_EQ(found.size(), 2u);
    }
    disk.power_cut(random);
    EXPECT_EQ(*restart(disk), found);
  }
}

// Appends at random, dies at a random call of the disk or of a failed sync, starts again, some times over:
// what was handed out once is there under its position, and nothing is there that was not appended.
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
      while (life.fatals.empty()) {
        if (random.below(60) == 0) disk.fail_next(DiskCall::Kind::sync);
        for (uint64_t n = random.below(6); n > 0; --n) {
          const std::string payload = std::to_string(++number) + std::string(random.below(900), 'x');
          if (life.append(payload) == std::nullopt) appended[payload] = life_number;
        }
        for (uint64_t n = random.below(4); n > 0; --n) life.executor.run_one();
      }
      power ? disk.power_cut(random) : disk.crash();
    } catch (const Death&) {
    }
    disk.mend();
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

TEST(EmbeddedLogCrash, loses_nothing_that_was_handed_out_to_power_cuts_at_any_call) {
  for (uint64_t seed = 0; seed < 80 && !HasFatalFailure(); ++seed) lives_on_a_disk(seed, true);
}

TEST(EmbeddedLogCrash, loses_nothing_that_was_handed_out_to_kills_at_any_call) {
  for (uint64_t seed = 0; seed < 40 && !HasFatalFailure(); ++seed) lives_on_a_disk(seed, false);
}

TEST(EmbeddedLogCrash, a_failed_sync_or_write_ends_it_without_an_answer) {
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

TEST(EmbeddedLogCrash, a_group_whose_sync_failed_is_written_again_before_a_restart_hands_it_out) {
  MemoryDisk disk;
  {
    Life life(disk);
    ASSERT_TRUE(life.start());
    life.append_each({"one"});
    disk.fail_next(DiskCall::Kind::sync);
    life.append_each({"two"});
    ASSERT_EQ(life.fatals.size(), 1u);
  }
  disk.crash();
  EXPECT_EQ(*restart(disk), (Records{{1, "one"}, {2, "two"}})) << "the system's cache still has it";
  SeededRandom random(1);
  disk.power_cut(random);
  EXPECT_EQ(*restart(disk), (Records{{1, "one"}, {2, "two"}}));
}

TEST(EmbeddedLogCrash, records_that_wait_behind_a_failure_are_not_written) {
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

}  // namespace
}  // namespace tidings::embedded
