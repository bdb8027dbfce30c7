#include "engine/memory/memory_disk.h"

#include <gtest/gtest.h>

#include "test/contract/fakes.h"

namespace tidings::memory {
namespace {

using ports::Disk;
constexpr auto any = Disk::Open::existing_or_new;

// A file whose name and first 4 KiB of 'a' are durable.
std::unique_ptr<ports::File> durable_file(MemoryDisk& disk) {
  auto file = *disk.open("log", any);
  EXPECT_TRUE(file->write(0, std::string(4096, 'a')));
  EXPECT_TRUE(file->sync());
  EXPECT_TRUE(disk.sync_directory("."));
  return file;
}

base::Bytes content(MemoryDisk& disk) {
  return *(*disk.open("log", Disk::Open::existing))->read(0, 1 << 20);
}

TEST(MemoryDisk, a_power_cut_keeps_what_was_synced_and_any_sectors_of_the_rest) {
  bool none = false, all = false, torn = false, longer_but_empty = false;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    MemoryDisk disk;
    contract::SeededRandom random(seed);
    auto file = durable_file(disk);
    ASSERT_TRUE(file->write(3000, std::string(3000, 'b')));
    disk.power_cut(random);
    const base::Bytes now = content(disk);
    ASSERT_GE(now.size(), 4096u);
    EXPECT_EQ(now.substr(0, 3000), std::string(3000, 'a')) << "nobody wrote there";
    const auto kept = static_cast<size_t>(std::count(now.begin(), now.end(), 'b'));
    none |= now == std::string(4096, 'a');
    all |= kept == 3000;
    torn |= kept > 0 && kept < 3000;
    longer_but_empty |= now.size() == 6000 && kept < 1500;
  }
  EXPECT_TRUE(none && all && torn && longer_but_empty);
}

TEST(MemoryDisk, a_crash_keeps_all_that_was_written_and_gives_locks_back) {
  MemoryDisk disk;
  auto file = durable_file(disk);
  auto lock = *disk.lock(".");
  ASSERT_TRUE(file->write(4096, "unsynced"));
  disk.crash();
  EXPECT_EQ(content(disk).substr(4096), "unsynced");
  EXPECT_FALSE(file->write(0, "from the dead"));
  EXPECT_FALSE(file->sync());
  EXPECT_FALSE(file->read(0, 1).ok());
  auto next = disk.lock(".");
  ASSERT_TRUE(next.ok());
  lock.reset();
  EXPECT_FALSE(disk.lock(".").ok()) << "the dead process's lock gave back the new one's";
}

TEST(MemoryDisk, names_survive_power_loss_only_with_their_directory) {
  bool kept = false, lost = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    MemoryDisk disk;
    contract::SeededRandom random(seed);
    auto file = durable_file(disk);
    ASSERT_TRUE(disk.rename("log", "log2"));
    ASSERT_TRUE(file->sync());
    disk.power_cut(random);
    const auto names = *disk.list(".");
    ASSERT_EQ(names.size(), 1u) << "a rename is one step";
    (names[0] == "log2" ? kept : lost) = true;
  }
  EXPECT_TRUE(kept && lost);
}

TEST(MemoryDisk, what_a_failed_sync_should_have_saved_is_not_saved_by_the_next) {
  MemoryDisk disk;
  contract::SeededRandom random(1);
  auto file = durable_file(disk);
  ASSERT_TRUE(file->write(0, "lost"));
  disk.fail_next(DiskCall::Kind::sync);
  EXPECT_FALSE(file->sync());
  EXPECT_TRUE(file->sync());
  EXPECT_EQ(content(disk).substr(0, 4), "lost") << "the process still sees it";
  disk.power_cut(random);
  EXPECT_EQ(content(disk), std::string(4096, 'a'));
}

TEST(MemoryDisk, a_full_disk_takes_what_fits) {
  MemoryDisk disk;
  auto file = durable_file(disk);
  disk.set_capacity(4100);
  EXPECT_FALSE(file->write(4096, "0123456789"));
  EXPECT_EQ(*file->size(), 4100u);
  EXPECT_FALSE(*file->allocate(9000));
  EXPECT_TRUE(file->write(0, "in place")) << "needs no room";
  disk.set_capacity(std::nullopt);
  EXPECT_TRUE(file->write(4096, "0123456789"));
}

TEST(MemoryDisk, a_hook_may_throw_out_of_every_call) {
  struct Cut {};
  for (int at = 0;; ++at) {
    MemoryDisk disk;
    contract::SeededRandom random(static_cast<uint64_t>(at));
    int calls = 0;
    disk.on_call = [&](const DiskCall&) {
      if (calls++ != at) return;
      disk.power_cut(random);
      throw Cut();
    };
    bool finished = false;
    try {
      auto lock = disk.lock(".");
      auto file = durable_file(disk);
      EXPECT_TRUE(file->truncate(100));
      EXPECT_TRUE(disk.rename("log", "log2"));
      EXPECT_TRUE(disk.remove("log2"));
      finished = true;
    } catch (const Cut&) {
    }
    disk.on_call = nullptr;
    EXPECT_TRUE(disk.lock(".").ok()) << "call " << at;
    EXPECT_TRUE(disk.open("log", any).ok()) << "call " << at;
    if (finished) break;
    ASSERT_LT(at, 1000);
  }
}

TEST(MemoryDisk, a_directory_copied_aside_comes_back_as_it_was) {
  MemoryDisk disk;
  contract::SeededRandom random(1);
  auto file = durable_file(disk);
  const auto then = disk.snapshot();
  ASSERT_TRUE(file->write(0, "later"));
  ASSERT_TRUE(file->sync());
  disk.restore(then);
  EXPECT_EQ(content(disk), std::string(4096, 'a'));
  EXPECT_FALSE(file->write(0, "from the dead"));
  disk.power_cut(random);
  EXPECT_EQ(content(disk), std::string(4096, 'a'));
}

TEST(MemoryDisk, a_flipped_bit_stays_flipped) {
  MemoryDisk disk;
  contract::SeededRandom random(1);
  durable_file(disk);
  EXPECT_FALSE(disk.flip_bit("log", 4096 * 8));
  ASSERT_TRUE(disk.flip_bit("log", 8 * 10 + 1));
  disk.power_cut(random);
  EXPECT_EQ(content(disk)[10], 'a' ^ 2);
}

}  // namespace
}  // namespace tidings::memory
