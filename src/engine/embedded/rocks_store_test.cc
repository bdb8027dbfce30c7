#include "engine/embedded/rocks_store.h"

#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include "engine/embedded/rocks_options.h"
#include "test/contract/temporary_directory.h"

namespace tidings::embedded {
namespace {

using contract::TemporaryDirectory;
using model::ConversationId;

ConversationId conversation(uint64_t n) {
  ConversationId id;
  std::memcpy(id.bytes.data(), &n, sizeof n);
  return id;
}

// Batch n writes one of each thing, and its number everywhere.
ports::StoreBatch batch(uint64_t n) {
  return {.states = {{conversation(n), {n}, "state"}, {conversation(0), {n}, std::to_string(n)}},
          .chunks = {{conversation(n), {1}, {2}, std::string(100, 'c')}},
          .list_rows = {{{7}, conversation(n)}},
          .checkpoints = {{{1}, {n}, base::wall_from_ms(0), 1, n}},
          .low = model::Position{n + 1}};
}

std::unique_ptr<RocksStore> open(const std::string& directory, base::Registry& registry) {
  auto opened = RocksStore::open(directory, registry);
  EXPECT_TRUE(opened.ok()) << opened.error().sentence;
  return std::move(*opened);
}

TEST(RocksStore, ASecondOpenIsRefusedInASentence) {
  TemporaryDirectory directory;
  base::Registry registry;
  const auto first = open(directory / "a/b/store", registry);
  const auto second = RocksStore::open(directory / "a/b/store", registry);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().sentence.find("cannot be opened"), std::string::npos) << second.error().sentence;
}

TEST(RocksStore, ANewerFormatIsRefusedInASentence) {
  TemporaryDirectory directory;
  base::Registry registry;
  open(directory / "store", registry);
  {
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, directory / "store", rocks_column_families(), &families, &db).ok());
    base::Bytes format;
    base::Writer(format).fixed<uint64_t>(2);
    ASSERT_TRUE(db->Put({}, families[family_sys], "format", format).ok());
    for (auto* handle : families) ASSERT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
    delete db;
  }
  const auto opened = RocksStore::open(directory / "store", registry);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().sentence.find("format 2"), std::string::npos) << opened.error().sentence;
}

TEST(RocksStore, KeysAndBytesWrittenAreCounted) {
  TemporaryDirectory directory;
  base::Registry registry;
  const auto store = open(directory / "store", registry);
  ASSERT_TRUE(store->commit(batch(1)).ok());
  // batch(1) has six rows; with them goes the highest version.
  EXPECT_EQ(registry.values()["tidings_store_keys_written_total"], 7);
  EXPECT_GT(registry.values()["tidings_store_bytes_written_total"], 100);
}

TEST(RocksStore, AfterKillDashNineAllThatWasCommittedIsThere) {
  TemporaryDirectory directory;
  base::Registry registry;
  const auto store = open(directory / "store", registry);
  for (uint64_t n = 1; n <= 20; ++n) ASSERT_TRUE(store->commit(batch(n)).ok());
  // What the page cache has is what a killed process leaves behind.
  std::filesystem::copy(directory / "store", directory / "killed", std::filesystem::copy_options::recursive);
  const auto again = open(directory / "killed", registry);
  EXPECT_EQ(again->low().value(), model::Position{21});
  EXPECT_EQ(again->load_state(conversation(0)).value(), "20");
}

TEST(RocksStore, AfterAPowerCutItFallsBackToAWholeBatch) {
  TemporaryDirectory directory;
  base::Registry registry;
  const uint64_t count = 30;
  {
    const auto store = open(directory / "store", registry);
    for (uint64_t n = 1; n <= count; ++n) ASSERT_TRUE(store->commit(batch(n)).ok());
    std::filesystem::copy(directory / "store", directory / "image", std::filesystem::copy_options::recursive);
  }
  std::string log;
  for (const auto& file : std::filesystem::directory_iterator(directory / "image")) {
    if (file.path().extension() == ".log" && file.path().filename().string() > log)
      log = file.path().filename();
  }
  ASSERT_FALSE(log.empty());
  const uint64_t size = std::filesystem::file_size(directory / ("image/" + log));
  uint64_t fallen_back = 0;
  for (uint64_t cut = 0; cut < 25; ++cut) {
    const std::string image = directory / ("cut" + std::to_string(cut));
    std::filesystem::copy(directory / "image", image, std::filesystem::copy_options::recursive);
    std::filesystem::resize_file(image + "/" + log, size * (cut + 1) / 26 + cut);
    const auto store = open(image, registry);
    const auto low = store->low().value().value;
    const uint64_t last = low ? low - 1 : 0;
    fallen_back += last < count;
    for (uint64_t n = 1; n <= count; ++n) {
      EXPECT_EQ(store->load_state(conversation(n)).value().has_value(), n <= last) << cut << ' ' << n;
      EXPECT_EQ(store->read_chunks(conversation(n), {0}, 1000).value().size(), n <= last ? 1u : 0u);
    }
    EXPECT_EQ(store->list({7}, conversation(0), ConversationId{{255}}, 1000).value().size(), last);
    if (last) EXPECT_EQ(store->checkpoints().value().at(0).position.value, last);
    // No later batch comes back, and the fallen-back store goes on.
    ASSERT_TRUE(store->commit(batch(last + 1)).ok());
    EXPECT_EQ(store->load_state(conversation(0)).value(), std::to_string(last + 1));
    std::filesystem::remove_all(image);
  }
  EXPECT_GT(fallen_back, 20u);
}

TEST(RocksStore, ADirectoryThatCannotBeMadeIsASentence) {
  base::Registry registry;
  const auto opened = RocksStore::open("/proc/tidings/store", registry);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().sentence.find("cannot be made"), std::string::npos) << opened.error().sentence;
}

}  // namespace
}  // namespace tidings::embedded
