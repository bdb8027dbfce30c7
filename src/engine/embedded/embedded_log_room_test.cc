// The embedded log's room on the disk: trimming, a disk that fills up, and what a crash makes of both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/embedded/log_life.h"

namespace tidings::embedded {
namespace {

using ::testing::ElementsAre;

constexpr uint64_t small = 16 * 1024;

std::vector<std::string> segment_files(MemoryDisk& disk) {
  auto names = *disk.list("/log");
  std::erase(names, "lock");
  return names;
}
int64_t metric(Life& life, const std::string& name) {
  return life.metrics.values().at("tidings_embedded_log_" + name);
}
// Two records of one group each to a segment.
std::string half_a_segment(char c) {
  return std::string(5000, c);
}
std::vector<std::string> halves(const std::string& letters) {
  std::vector<std::string> out;
  for (const char c : letters) out.push_back(half_a_segment(c));
  return out;
}

TEST(EmbeddedLogTrim, removes_the_oldest_segments_all_of_whose_records_are_below) {
  MemoryDisk disk;
  Life life(disk, small);
  ASSERT_TRUE(life.start());
  life.read();
  life.append_each(halves("aabbccdd"));
  ASSERT_EQ(segment_files(disk).size(), 4u);
  EXPECT_EQ(metric(life, "segments"), 4);
  EXPECT_EQ(metric(life, "bytes"), 4 * 16 * 1024);

  life.log->trim({4});
  life.executor.run_all();
  EXPECT_THAT(segment_files(disk), ElementsAre("0000000002.log", "0000000003.log", "0000000004.log"));
  life.log->trim({2});
  life.log->trim({6});
  life.executor.run_all();
  EXPECT_THAT(segment_files(disk), ElementsAre("0000000003.log", "0000000004.log"))
      << "6 stands in the third";
  life.log->trim({1000});
  life.executor.run_all();
  EXPECT_THAT(segment_files(disk), ElementsAre("0000000004.log")) << "this one is written";
  EXPECT_EQ(metric(life, "bytes"), 16 * 1024);
  EXPECT_EQ(metric(life, "trimmed_segments_total"), 3);
  life.append_each(halves("e"));
  EXPECT_EQ(life.seen.size(), 9u);
  life.log.reset();

  Life again(disk, small);
  EXPECT_FALSE(again.start()) << "the store says that it needs record 1";
  ASSERT_TRUE(again.start(9, 7));
  again.read(1);
  again.append_each({"f"});
  EXPECT_EQ(again.seen.begin()->first, 7u);
  EXPECT_EQ(again.seen.rbegin()->first, 10u);
}

TEST(EmbeddedLogTrim, keeps_the_newest_group_and_what_is_still_read) {
  MemoryDisk disk;
  {
    Life life(disk, small);
    ASSERT_TRUE(life.start());
    life.append_each(halves("aa"));
    // The next segment is made, and then its first group fails.
    disk.on_call = [&](const DiskCall& call) {
      if (call.kind == DiskCall::Kind::sync_directory && call.moment == DiskCall::Moment::after)
        disk.fail_next(DiskCall::Kind::write);
    };
    life.append(half_a_segment('b'));
    life.executor.run_all();
    disk.on_call = nullptr;
    EXPECT_EQ(life.fatals.size(), 1u);
  }
  disk.crash();
  ASSERT_EQ(segment_files(disk).size(), 2u);
  Life life(disk, small);
  ASSERT_TRUE(life.start());
  life.log->trim({1000});
  life.executor.run_all();
  EXPECT_EQ(segment_files(disk).size(), 2u) << "the newest group went";
  life.append_each(halves("bbcc"));
  ASSERT_EQ(segment_files(disk).size(), 3u);
  life.log->pause_reading();
  life.read();
  life.log->trim({1000});
  life.executor.run_all();
  EXPECT_EQ(segment_files(disk).size(), 3u) << "nobody has read the first one";
  life.log->resume_reading();
  life.executor.run_all();
  EXPECT_EQ(life.seen.size(), 6u);
  EXPECT_EQ(segment_files(disk).size(), 1u) << "the trim was forgotten";
}

TEST(EmbeddedLogTrim, a_file_that_cannot_be_removed_stays_and_ends_nobody) {
  MemoryDisk disk;
  Life life(disk, small);
  ASSERT_TRUE(life.start());
  life.read();
  life.append_each(halves("aabbcc"));
  disk.fail_next(DiskCall::Kind::remove);
  life.log->trim({1000});
  life.executor.run_all();
  EXPECT_EQ(segment_files(disk).size(), 3u);
  life.log->trim({1000});
  life.executor.run_all();
  EXPECT_EQ(segment_files(disk).size(), 1u);
  EXPECT_TRUE(life.fatals.empty());
}

TEST(EmbeddedLogTrim, whatever_a_power_cut_leaves_of_it_is_a_log) {
  struct Cut {};
  for (uint64_t seed = 0; seed < 4; ++seed) {
    int calls = 0;
    for (int at = 0;; ++at) {
      MemoryDisk disk;
      SeededRandom random(seed);
      Records all;
      bool finished = false;
      {
        Life life(disk, small, seed);
        ASSERT_TRUE(life.start());
        life.read();
        life.append_each(halves("aabbccdde"));
        all = life.seen;
        calls = 0;
        disk.on_call = [&](const DiskCall&) {
          if (calls++ != at) return;
          disk.power_cut(random);
          throw Cut();
        };
        try {
          life.log->trim({6});
          life.executor.run_all();
          finished = true;
        } catch (const Cut&) {
        }
        disk.on_call = nullptr;
      }
      if (finished) disk.power_cut(random);
      Life again(disk, small, seed);
      const auto started = again.start(9, 6);
      ASSERT_TRUE(started) << "call " << at << ": " << started.error().sentence;
      again.read(6);
      again.append_each({"after"});
      Records expected(all.find(6), all.end());
      expected[10] = "after";
      ASSERT_EQ(again.seen, expected) << "call " << at;
      if (finished) break;
      ASSERT_LT(at, 100);
    }
    EXPECT_GE(calls, 8) << "two files, two directories";
  }
}

TEST(EmbeddedLogSpace, refuses_before_anything_is_written_and_goes_on_by_itself) {
  MemoryDisk disk;
  disk.set_capacity(10 * small);
  Life life(disk, small);
  life.free_bytes_min = 5 * small;
  ASSERT_TRUE(life.start());
  life.read();
  life.append_each(halves("aabbcc"));
  EXPECT_EQ(life.log->refuses(), std::nullopt);
  EXPECT_EQ(metric(life, "free_bytes"), 7 * 16 * 1024);
  disk.set_capacity(9 * small - 1);
  life.executor.run_timers();
  EXPECT_EQ(life.log->refuses(), wire::Code::storage_full) << "the next segment would reach into the reserve";
  EXPECT_EQ(metric(life, "storage_full"), 1);
  int calls = 0;
  disk.on_call = [&](const DiskCall&) { ++calls; };
  EXPECT_EQ(life.append("small"), wire::Code::storage_full);
  life.executor.run_all();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(metric(life, "refused_full_total"), 1);
  disk.on_call = nullptr;

  disk.set_capacity(9 * small);
  life.executor.run_timers();
  EXPECT_EQ(life.log->refuses(), std::nullopt) << "nobody had to append for it";
  EXPECT_EQ(metric(life, "storage_full"), 0);
  life.append_each({"again"});
  EXPECT_EQ(life.seen.size(), 7u);
  disk.fail_next(DiskCall::Kind::free_bytes);
  life.executor.run_timers();
  EXPECT_EQ(life.log->refuses(), std::nullopt) << "a disk that does not answer is not full";
  EXPECT_TRUE(life.fatals.empty());
}

TEST(EmbeddedLogSpace, looks_after_each_segment_and_not_at_all_with_a_minimum_of_zero) {
  for (const uint64_t min : {uint64_t{0}, 2 * small}) {
    MemoryDisk disk;
    disk.set_capacity(5 * small);
    Life life(disk, small);
    life.free_bytes_min = min;
    ASSERT_TRUE(life.start());
    life.read();
    life.append_each(halves("aab"));
    EXPECT_EQ(life.log->refuses(), std::nullopt);
    life.append_each(halves("bc"));
    EXPECT_EQ(life.log->refuses().has_value(), min > 0);
  }
}

TEST(EmbeddedLogSpace, what_finds_no_room_waits_unwritten_and_is_written_when_there_is_some) {
  MemoryDisk disk;
  disk.set_capacity(2 * small);
  Life life(disk, small);
  ASSERT_TRUE(life.start());
  life.read();
  life.append_each(halves("aabb"));
  life.append(half_a_segment('c'));
  life.append("d");
  life.executor.run_all();
  EXPECT_EQ(life.seen.size(), 4u);
  EXPECT_TRUE(life.fatals.empty());
  EXPECT_EQ(life.log->refuses(), wire::Code::storage_full);
  EXPECT_EQ(life.append("e"), wire::Code::storage_full);
  EXPECT_EQ(segment_files(disk).size(), 2u) << "half a segment is in the way of the next try";
  life.executor.run_timers();
  life.executor.run_all();
  EXPECT_EQ(life.seen.size(), 4u);

  disk.set_capacity(3 * small);
  life.executor.run_timers();
  life.executor.run_all();
  EXPECT_EQ(life.log->refuses(), std::nullopt);
  life.append_each({"f"});
  Records expected = life.seen;
  EXPECT_EQ(expected.size(), 7u);
  EXPECT_EQ(expected[6], "d");
  EXPECT_EQ(expected[7], "f");
  life.log.reset();
  SeededRandom random(1);
  disk.power_cut(random);
  EXPECT_EQ(*restart(disk), expected);
}

TEST(EmbeddedLogSpace, closes_without_what_found_no_room) {
  for (const bool room_again : {false, true}) {
    MemoryDisk disk;
    disk.set_capacity(small);
    Life life(disk, small);
    ASSERT_TRUE(life.start());
    life.read();
    life.append_each(halves("aab"));
    if (room_again) disk.set_capacity(2 * small);
    bool closed = false;
    life.log->close([&] { closed = true; });
    life.executor.run_all();
    EXPECT_TRUE(closed);
    EXPECT_TRUE(life.fatals.empty());
    life.log.reset();
    disk.set_capacity(std::nullopt);
    EXPECT_EQ(restart(disk)->size(), room_again ? 3u : 2u);
  }
}

}  // namespace
}  // namespace tidings::embedded
