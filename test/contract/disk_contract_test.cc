// What every Disk owes the log (ports/disk.h), over the machine's files and over the simulated disk.
#include <gtest/gtest.h>

#include "engine/embedded/posix_disk.h"
#include "engine/memory/memory_disk.h"
#include "test/contract/fakes.h"

namespace tidings::contract {
namespace {

using ports::Disk;

struct PosixRoom {
  TemporaryDirectory directory;
  embedded::PosixDisk disk;
  std::string root = directory.path();
};
struct MemoryRoom {
  memory::MemoryDisk disk;
  std::string root = "/data";
  MemoryRoom() { EXPECT_TRUE(disk.make_directory(root)); }
};

template <class Room>
class DiskContract : public ::testing::Test {
 public:
  std::string path(const std::string& name) { return room.root + "/" + name; }
  std::unique_ptr<ports::File> make(const std::string& name) {
    return *room.disk.open(path(name), Disk::Open::create_new);
  }
  Room room;
};
using Rooms = ::testing::Types<PosixRoom, MemoryRoom>;
TYPED_TEST_SUITE(DiskContract, Rooms);

TYPED_TEST(DiskContract, reads_what_was_written_and_less_at_the_end) {
  auto file = this->make("a");
  ASSERT_TRUE(file->write(0, "hello"));
  ASSERT_TRUE(file->write(3, "p me"));
  EXPECT_EQ(*file->read(0, 100), "help me");
  EXPECT_EQ(*file->read(5, 2), "me");
  EXPECT_EQ(*file->read(7, 5), "");
  EXPECT_EQ(*file->read(700, 5), "");
  EXPECT_EQ(*file->size(), 7u);
}

TYPED_TEST(DiskContract, a_write_beyond_the_end_leaves_zeros_between) {
  auto file = this->make("a");
  ASSERT_TRUE(file->write(3, "x"));
  EXPECT_EQ(*file->read(0, 9), std::string("\0\0\0x", 4));
}

TYPED_TEST(DiskContract, what_was_cut_reads_as_zeros_when_room_is_reserved_again) {
  auto file = this->make("a");
  ASSERT_TRUE(file->write(0, "0123456789"));
  ASSERT_TRUE(file->truncate(4));
  EXPECT_EQ(*file->size(), 4u);
  ASSERT_TRUE(*file->allocate(8));
  EXPECT_EQ(*file->read(0, 100), std::string("0123\0\0\0\0", 8));
  ASSERT_TRUE(*file->allocate(2));
  EXPECT_EQ(*file->size(), 8u) << "reserving never cuts";
  ASSERT_TRUE(file->sync());
}

TYPED_TEST(DiskContract, opens_only_as_it_was_told) {
  EXPECT_FALSE(this->room.disk.open(this->path("a"), Disk::Open::existing).ok());
  ASSERT_TRUE(this->make("a")->write(0, "kept"));
  EXPECT_FALSE(this->room.disk.open(this->path("a"), Disk::Open::create_new).ok());
  EXPECT_EQ(*(*this->room.disk.open(this->path("a"), Disk::Open::existing))->read(0, 9), "kept");
  EXPECT_EQ(*(*this->room.disk.open(this->path("a"), Disk::Open::existing_or_new))->read(0, 9), "kept");
  EXPECT_TRUE(this->room.disk.open(this->path("b"), Disk::Open::existing_or_new).ok());
  EXPECT_FALSE(this->room.disk.open(this->path("nowhere/c"), Disk::Open::create_new).ok());
}

TYPED_TEST(DiskContract, lists_names_in_order_and_nothing_where_nothing_is) {
  EXPECT_TRUE(this->room.disk.list(this->path("nowhere"))->empty());
  this->make("b");
  this->make("a");
  ASSERT_TRUE(this->room.disk.make_directory(this->path("sub/deep")));
  ASSERT_TRUE(this->room.disk.make_directory(this->path("sub/deep"))) << "again is no failure";
  EXPECT_EQ(*this->room.disk.list(this->room.root), (std::vector<std::string>{"a", "b", "sub"}));
  EXPECT_EQ(*this->room.disk.list(this->path("sub")), (std::vector<std::string>{"deep"}));
  EXPECT_FALSE(this->room.disk.make_directory(this->path("a/under")));
}

TYPED_TEST(DiskContract, renames_over_and_removes) {
  ASSERT_TRUE(this->make("a")->write(0, "new"));
  ASSERT_TRUE(this->make("b")->write(0, "old"));
  ASSERT_TRUE(this->room.disk.rename(this->path("a"), this->path("b")));
  EXPECT_EQ(*this->room.disk.list(this->room.root), (std::vector<std::string>{"b"}));
  EXPECT_EQ(*(*this->room.disk.open(this->path("b"), Disk::Open::existing))->read(0, 9), "new");
  ASSERT_TRUE(this->room.disk.sync_directory(this->room.root));
  ASSERT_TRUE(this->room.disk.remove(this->path("b")));
  EXPECT_TRUE(this->room.disk.list(this->room.root)->empty());
  EXPECT_FALSE(this->room.disk.remove(this->path("b")));
  EXPECT_FALSE(this->room.disk.rename(this->path("b"), this->path("a")));
}

TYPED_TEST(DiskContract, tells_how_much_room_there_is) {
  EXPECT_GT(*this->room.disk.free_bytes(this->room.root), 0u);
  EXPECT_FALSE(this->room.disk.free_bytes(this->path("nowhere")).ok());
}

TYPED_TEST(DiskContract, a_second_lock_is_refused_in_plain_words_until_the_first_goes) {
  auto held = this->room.disk.lock(this->room.root);
  ASSERT_TRUE(held.ok());
  const auto second = this->room.disk.lock(this->room.root);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().sentence, "the directory " + this->room.root +
                                         " is in use by another server; stop that one first, or choose "
                                         "another directory");
  held->reset();
  EXPECT_TRUE(this->room.disk.lock(this->room.root).ok());
}

TYPED_TEST(DiskContract, failures_name_the_path_and_the_reason) {
  const auto failed = this->room.disk.open(this->path("a"), Disk::Open::existing);
  EXPECT_EQ(failed.error().sentence, "cannot open " + this->path("a") + ": No such file or directory");
}

}  // namespace
}  // namespace tidings::contract
