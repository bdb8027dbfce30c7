// Surveying a damaged log, and cutting it, through power cuts at every call.
#include "engine/embedded/log_cut.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/embedded/log_life.h"

namespace tidings::embedded {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t small = 16 * 1024;
constexpr Position base{1 << 20};
const std::string log_directory = "/log";
const std::string segment_3 = "/log/0000000003.log";

std::string half_a_segment(char c) {
  return std::string(5000, c);
}
// Two groups of one record in each of four segments.
MemoryDisk::Snapshot four_segments() {
  MemoryDisk disk;
  Life life(disk, small);
  EXPECT_TRUE(life.start());
  for (const char c : std::string("aabbccdd")) life.append_each({half_a_segment(c)});
  life.log.reset();
  return disk.snapshot();
}
uint64_t second_group(const MemoryDisk::Snapshot&) {
  return segment_header_bytes + group_header_bytes + record_header_bytes + 5000;
}

CutOrder order() {
  CutOrder out;
  out.aside = "/damaged";
  out.segment_id = 4711;
  out.segment_bytes = small;
  out.beginning = {base, model::stream_partition, base::wall_from_ms(1'790'000'000'001), "cut"};
  return out;
}
base::Status cut(MemoryDisk& disk, Position known_below = {}) {
  const std::vector<std::string> asides(disk.snapshot().directories.contains("/damaged") ? 1 : 0, "/damaged");
  if (auto resumed = resume_cut(disk, log_directory, asides); !resumed) return resumed;
  auto survey = survey_log(disk, log_directory, {.known_below = known_below, .visit = {}});
  if (!survey) return base::fail(survey.error());
  if (!survey->damage && survey->cut_unfinished) {
    survey->damage = {"unfinished", survey->files.size(), 0, survey->end.group};
  }
  CutOrder the_order = order();
  if (survey->end.newest >= base) the_order.beginning.position.value = survey->end.newest.value + 1;
  return cut_log(disk, log_directory, *survey, the_order);
}
base::Result<Records> start_after_cut(MemoryDisk& disk, uint64_t known_below = 0) {
  Life life(disk, small, 9);
  if (auto started = life.start(known_below); !started) return base::fail(started.error());
  life.read();
  life.append_each({"new"});
  EXPECT_TRUE(life.fatals.empty());
  return life.seen;
}

TEST(LogSurvey, counts_what_stands_above_the_damage) {
  auto image = four_segments();
  image.files[segment_2][second_group(image) + 100] ^= 4;
  image.files[segment_3].resize(5000);
  MemoryDisk disk;
  disk.restore(image);
  int groups_below = 0;
  const auto survey =
      *survey_log(disk, log_directory,
                  {.visit = [&](const Segment&, const GroupReader::Group&, const auto&) { ++groups_below; }});
  ASSERT_TRUE(survey.damage);
  EXPECT_EQ(groups_below, 3);
  EXPECT_EQ(survey.damage->file, 1u);
  EXPECT_EQ(survey.damage->keep_bytes, second_group(image));
  EXPECT_EQ(survey.damage->next_group, 4u);
  std::vector<uint64_t> positions;
  uint64_t unreadable = 0;
  ASSERT_TRUE(read_above_damage(
      disk, survey,
      [&](const LogFile&, const GroupHeader&, const std::vector<RecordView>& records) {
        for (const auto& record : records) positions.push_back(record.position.value);
      },
      unreadable));
  EXPECT_EQ(positions, (std::vector<uint64_t>{7, 8}));
  const uint64_t group_bytes = second_group(image) - segment_header_bytes;
  EXPECT_EQ(unreadable, group_bytes + trailer_bytes + (5000 - segment_header_bytes));
}

TEST(LogSurvey, tells_old_damage_apart_and_reads_it_only_when_asked) {
  auto image = four_segments();
  image.files[segment_1][5000] ^= 4;
  MemoryDisk disk;
  disk.restore(image);
  EXPECT_TRUE(survey_log(disk, log_directory, {.verify_from = {3}, .visit = {}})->old_damage.empty());
  const auto survey =
      *survey_log(disk, log_directory, {.verify_from = {3}, .old_segments = true, .visit = {}});
  EXPECT_FALSE(survey.damage);
  ASSERT_EQ(survey.old_damage.size(), 1u);
  EXPECT_THAT(survey.old_damage[0], HasSubstr("0000000001.log at byte 4096"));
}

TEST(LogCut, keeps_the_groups_below_the_damage_and_lets_positions_begin_anew) {
  const auto image = four_segments();
  struct Case {
    std::string what;
    std::function<void(MemoryDisk::Snapshot&)> spoil;
    size_t kept;
    size_t moved;
  };
  const Case cases[] = {
      {"first group", [](auto& copy) { copy.files[segment_1][5000] ^= 1; }, 0, 4},
      {"middle", [&](auto& copy) { copy.files[segment_2][second_group(copy) + 50] ^= 1; }, 3, 3},
      {"header", [](auto& copy) { copy.files[segment_3][30] ^= 1; }, 4, 2},
      {"first header", [](auto& copy) { copy.files[segment_1][30] ^= 1; }, 0, 4},
      {"missing", [](auto& copy) { copy.files.erase(segment_2); }, 2, 2},
      {"missing at the front", [](auto& copy) { copy.files.erase(segment_1); }, 0, 3},
      {"the last", [](auto& copy) { copy.files["/log/0000000004.log"][5000] ^= 1; }, 6, 1},
  };
  for (const Case& c : cases) {
    MemoryDisk disk;
    auto spoilt = image;
    c.spoil(spoilt);
    disk.restore(spoilt);
    ASSERT_FALSE(start_after_cut(disk)) << c.what;
    const auto done = cut(disk);
    ASSERT_TRUE(done) << c.what << ": " << done.error().sentence;
    EXPECT_EQ(disk.list("/damaged")->size(), c.moved) << c.what;
    for (const auto& name : *disk.list("/damaged")) {
      EXPECT_TRUE(disk.snapshot().files["/damaged/" + name] == spoilt.files["/log/" + name]) << c.what;
    }
    SeededRandom random(1);
    disk.power_cut(random);
    const auto found = start_after_cut(disk);
    ASSERT_TRUE(found) << c.what << ": " << found.error().sentence;
    ASSERT_EQ(found->size(), c.kept + 2) << c.what;
    EXPECT_EQ(found->at(base.value), "cut");
    EXPECT_EQ(found->rbegin()->first, base.value + 1);
    EXPECT_TRUE(start_after_cut(disk)) << c.what << ": once more";
  }
}

TEST(LogCut, goes_on_above_a_store_that_is_ahead) {
  for (const bool no_log : {false, true}) {
    MemoryDisk disk;
    if (!no_log) disk.restore(four_segments());
    EXPECT_FALSE(start_after_cut(disk, 5000));
    ASSERT_TRUE(cut(disk, {5000}));
    const auto found = start_after_cut(disk, 5000);
    ASSERT_TRUE(found) << found.error().sentence;
    EXPECT_EQ(found->size(), no_log ? 2u : 10u);
    EXPECT_EQ(found->rbegin()->first, base.value + 1);
    EXPECT_FALSE(disk.list("/damaged")->size());
  }
}

TEST(LogCut, that_dies_at_any_call_is_damage_or_refused_until_it_is_done_again) {
  struct Death {};
  auto spoilt = four_segments();
  spoilt.files[segment_2][second_group(spoilt) + 50] ^= 1;
  int refused_as_unfinished = 0;
  for (const bool power : {false, true}) {
    for (int at = 0;; ++at) {
      MemoryDisk disk;
      disk.restore(spoilt);
      SeededRandom random(static_cast<uint64_t>(at));
      int calls = 0;
      bool finished = false;
      disk.on_call = [&](const DiskCall&) {
        if (calls++ != at) return;
        power ? disk.power_cut(random) : disk.crash();
        throw Death();
      };
      try {
        finished = cut(disk).ok();
      } catch (const Death&) {
      }
      disk.on_call = nullptr;
      const auto between = [&disk] {
        Life life(disk, small, 9);
        return life.start();
      }();
      if (!between) {
        refused_as_unfinished += between.error().sentence.find("not finished") != std::string::npos ? 1 : 0;
        const auto again = cut(disk);
        ASSERT_TRUE(again) << "call " << at << ": " << again.error().sentence;
      }
      disk.power_cut(random);
      const auto found = start_after_cut(disk);
      ASSERT_TRUE(found) << "call " << at << ": " << found.error().sentence;
      ASSERT_EQ(found->begin()->first, 1u) << "call " << at;
      ASSERT_TRUE(found->contains(3) && !found->contains(4)) << "call " << at;
      ASSERT_EQ(found->at(base.value), "cut") << "call " << at;
      // Whole, and nowhere else changed.
      auto files = disk.snapshot().files;
      for (const auto& name : {"0000000002.log", "0000000003.log", "0000000004.log"}) {
        const std::string path = std::string("/damaged/") + name;
        ASSERT_TRUE(files.contains(path)) << name << ", call " << at;
        ASSERT_TRUE(files[path] == spoilt.files[std::string("/log/") + name]) << name << ", call " << at;
      }
      if (finished) break;
      ASSERT_LT(at, 1000);
    }
  }
  EXPECT_GT(refused_as_unfinished, 20);
}

}  // namespace
}  // namespace tidings::embedded
