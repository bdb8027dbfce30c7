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
  const base::Bytes text = std::to_string(n);
  return {.states = {{conversation(n), {n}, "state", {{"part", text}}},
                     {conversation(0), {n}, text, {{"a", text}, {"b", text}}}},
          .chunks = {{conversation(n), {1}, {2}, std::string(100, 'c')}},
          .entries = {{conversation(n), {7}, {}, text}},
          .entry_blocks = {{conversation(n), {7}, {}, {}, text}},
          .list_rows = {{{7}, conversation(n)}},
          .steps = {{conversation(0), {7}, {n}, std::string(8, '\0')}},
          .feed = {{{n}, base::wall_from_ms(0), text}},
          .damaged = {{conversation(n), text}},
          .checkpoints = {{{1}, {n}, base::wall_from_ms(0), 1, n, {n}}},
          .low = model::Position{n + 1},
          .feed_kept_from = n % 10 == 0 ? std::optional(model::Position{n - 1}) : std::nullopt};
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

// A database as RocksDB sees it, open until the end of the scope.
struct RawStore {
  RawStore(const std::string& directory, const std::vector<rocksdb::ColumnFamilyDescriptor>& wanted) {
    rocksdb::DBOptions options;
    options.create_if_missing = options.create_missing_column_families = true;
    rocksdb::DB* opened = nullptr;
    EXPECT_TRUE(rocksdb::DB::Open(options, directory, wanted, &families, &opened).ok());
    db.reset(opened);
  }
  ~RawStore() {
    for (auto* handle : families) EXPECT_TRUE(db->DestroyColumnFamilyHandle(handle).ok());
  }
  void put_format(size_t sys, uint64_t n) {
    base::Bytes format;
    base::Writer(format).fixed(n);
    EXPECT_TRUE(db->Put({}, families[sys], "format", format).ok());
  }
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  std::unique_ptr<rocksdb::DB> db;
};
std::vector<std::string> family_names(const std::string& directory) {
  std::vector<std::string> names;
  EXPECT_TRUE(rocksdb::DB::ListColumnFamilies({}, directory, &names).ok());
  return names;
}

TEST(RocksStore, ANewerFormatIsRefusedInASentence) {
  TemporaryDirectory directory;
  base::Registry registry;
  open(directory / "store", registry);
  RawStore(directory / "store", rocks_column_families()).put_format(family_sys, 3);
  const auto opened = RocksStore::open(directory / "store", registry);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().sentence.find("format 3"), std::string::npos) << opened.error().sentence;
}

TEST(RocksStore, AStoreOfFormat1IsRefusedUntouched) {
  TemporaryDirectory directory;
  base::Registry registry;
  const std::vector<rocksdb::ColumnFamilyDescriptor> format_1{
      {"default", {}}, {"state", {}},      {"chunk", {}}, {"entry_single", {}},
      {"list", {}},    {"checkpoint", {}}, {"sys", {}}};
  RawStore(directory / "store", format_1).put_format(6, 1);
  const auto before = family_names(directory / "store");
  const auto opened = RocksStore::open(directory / "store", registry);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().sentence.find("format 1, this server reads only 2"), std::string::npos)
      << opened.error().sentence;
  EXPECT_EQ(family_names(directory / "store"), before);
}

TEST(RocksStore, AFamilyThatANewerFormatAddedIsRefusedByItsNumber) {
  TemporaryDirectory directory;
  base::Registry registry;
  open(directory / "store", registry);
  auto families = rocks_column_families();
  families.emplace_back("thread", rocksdb::ColumnFamilyOptions{});
  RawStore(directory / "store", families).put_format(family_sys, 3);
  const auto opened = RocksStore::open(directory / "store", registry);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().sentence.find("format 3"), std::string::npos) << opened.error().sentence;
}

TEST(RocksStore, AnOpenThatACrashInterruptedIsFinished) {
  TemporaryDirectory directory;
  base::Registry registry;
  auto families = rocks_column_families();
  families.erase(families.begin() + family_chunk);
  RawStore(directory / "store", families);
  EXPECT_TRUE(open(directory / "store", registry)->commit(batch(1)).ok());
  EXPECT_EQ(open(directory / "store", registry)->low().value(), model::Position{2});
}

TEST(RocksStore, KeysAndBytesWrittenAreCounted) {
  TemporaryDirectory directory;
  base::Registry registry;
  const auto store = open(directory / "store", registry);
  ASSERT_TRUE(store->commit(batch(1)).ok());
  // batch(1) has fourteen rows; with them go the bounds.
  EXPECT_EQ(registry.values()["tidings_store_keys_written_total"], 15);
  EXPECT_GT(registry.values()["tidings_store_bytes_written_total"], 100);
  EXPECT_EQ(registry.values()["tidings_store_feed_bytes"], 1);
}

TEST(RocksStore, AMessageOfABusyConversationCostsAFractionOfAKey) {
  TemporaryDirectory directory;
  base::Registry registry;
  const auto store = open(directory / "store", registry);
  // What a flush of 16 messages of one person writes in the long run.
  const auto flush = [&](uint64_t n) {
    ASSERT_TRUE(store
                    ->commit({.states = {{conversation(1), {n * 16}, "state", {}}},
                              .chunks = {{conversation(1), {n * 16}, {n * 16 + 15}, "chunk"}},
                              .entry_blocks = {{conversation(1), {7}, {}, {}, "block"}},
                              .feed = {{{n * 16}, base::wall_from_ms(0), "fed"}},
                              .checkpoints = {{{1}, {n * 16}}},
                              .low = model::Position{n * 16 + 1}})
                    .ok());
  };
  for (uint64_t n = 1; n <= 100; ++n) flush(n);
  EXPECT_LE(registry.values()["tidings_store_keys_written_total"], 100 * 16 / 2);
}

TEST(RocksStore, WhatIsDamagedIsKeptAside) {
  TemporaryDirectory directory;
  base::Registry registry;
  ASSERT_TRUE(
      open(directory / "store", registry)->commit({.damaged = {{conversation(1), "as it was"}}}).ok());
  RawStore raw(directory / "store", rocks_column_families());
  std::string value;
  const auto id = conversation(1);
  ASSERT_TRUE(
      raw.db->Get({}, raw.families[family_damaged], rocksdb::Slice(id.view().data(), 16), &value).ok());
  EXPECT_EQ(value, "as it was");
}

TEST(RocksStore, StepsGoThirtyDaysBeforeTheNewestCheckpoint) {
  TemporaryDirectory directory;
  base::Registry registry;
  const int64_t now = 1795300000000, old = now - ports::step_age_max.count();
  const auto value = [](int64_t ms) {
    base::Bytes bytes;
    base::Writer(bytes).fixed(ms);
    return bytes;
  };
  auto store = open(directory / "store", registry);
  const auto first_seq = [&](uint64_t user) {
    const auto step = store->find_step(conversation(1), {user}, {0}).value();
    return step ? step->seq.value : 0;
  };
  ASSERT_TRUE(store
                  ->commit({.steps = {{conversation(1), {7}, {1}, value(old - 1)},
                                      {conversation(1), {7}, {2}, value(old)},
                                      {conversation(1), {8}, {1}, value(old - 1)},
                                      {conversation(1), {9}, {1}, "short"}}})
                  .ok());
  ASSERT_TRUE(store->compact().ok());
  EXPECT_EQ(first_seq(7), 1u);
  ASSERT_TRUE(store->commit({.checkpoints = {{{3}, {1}, base::wall_from_ms(now)}}}).ok());
  ASSERT_TRUE(store->commit({.checkpoints = {{{4}, {1}, base::wall_from_ms(5)}}}).ok());
  store.reset();
  store = open(directory / "store", registry);
  ASSERT_TRUE(store->compact().ok());
  EXPECT_EQ(first_seq(7), 2u);
  EXPECT_EQ(first_seq(8), 0u);
  EXPECT_EQ(first_seq(9), 1u);
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
  EXPECT_EQ(again->load_state(conversation(0)).value(),
            (ports::StoredState{"20", {{"a", "20"}, {"b", "20"}}}));
  EXPECT_EQ(again->feed_bytes().value(), 4u);
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
    auto store = open(image, registry);
    const auto low = store->low().value().value;
    const uint64_t last = low ? low - 1 : 0;
    fallen_back += last < count;
    for (uint64_t n = 1; n <= count; ++n) {
      EXPECT_EQ(store->load_state(conversation(n)).value().has_value(), n <= last) << cut << ' ' << n;
      EXPECT_EQ(store->read_chunks(conversation(n), {0}, 1000).value().size(), n <= last ? 1u : 0u);
      const auto entries = store->find_entry(conversation(n), {7}, {}).value();
      EXPECT_EQ(entries.single.has_value(), n <= last);
      EXPECT_EQ(entries.block.has_value(), n <= last);
      EXPECT_EQ(store->find_step(conversation(0), {7}, {n}).value().has_value(), n <= last);
    }
    const auto feed = store->read_feed({0}, 1000).value();
    uint64_t feed_bytes = 0;
    for (const auto& entry : feed) feed_bytes += entry.value.size();
    EXPECT_EQ(store->feed_bytes().value(), feed_bytes);
    if (last) EXPECT_EQ(feed.back().position.value, last);
    if (last) EXPECT_EQ(feed.front().position.value, last < 10 ? 1 : last / 10 * 10 - 1);
    const base::Bytes text = std::to_string(last);
    if (last) {
      EXPECT_EQ(store->load_state(conversation(0)).value(),
                (ports::StoredState{text, {{"a", text}, {"b", text}}}));
    }
    EXPECT_EQ(store->list({7}, conversation(0), ConversationId{{255}}, 1000).value().size(), last);
    if (last) EXPECT_EQ(store->checkpoints().value().at(0).position.value, last);
    // No later batch comes back, and the fallen-back store goes on.
    ASSERT_TRUE(store->commit(batch(last + 1)).ok());
    EXPECT_EQ(store->load_state(conversation(0)).value()->value, std::to_string(last + 1));
    store.reset();
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
