#include "test/contract/store_contract.h"

#include <random>

#include "engine/embedded/rocks_store.h"
#include "engine/memory/memory_store.h"
#include "test/contract/temporary_directory.h"

namespace tidings::contract {
namespace {

struct RocksFixture {
  RocksFixture() { open(); }
  ports::Store& store() { return *store_; }
  void restart() {
    store_.reset();
    open();
  }

 private:
  void open() {
    auto opened = embedded::RocksStore::open(directory_ / "store", registry_);
    TIDINGS_CHECK(opened.ok());
    store_ = std::move(*opened);
  }
  TemporaryDirectory directory_;
  base::Registry registry_;
  std::unique_ptr<embedded::RocksStore> store_;
};

struct MemoryFixture {
  ports::Store& store() { return store_; }
  void restart() { store_.crash(); }

 private:
  memory::MemoryStore store_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Rocks, StoreContract, RocksFixture);
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StoreContract, MemoryFixture);

// The simulator tests what runs on the memory store; this is why that says something about the real one.
TEST(TwoStores, TheSameBatchesGiveEqualReads) {
  std::mt19937_64 random(20250101);
  RocksFixture rocks;
  MemoryFixture memory;
  const auto below = [&](uint64_t n) { return random() % n; };
  const auto some_conversation = [&] {
    return conversation(static_cast<uint8_t>(below(6)), below(2) ? 255 : 0);
  };
  const auto some_bytes = [&] { return base::Bytes(below(40), static_cast<char>(below(256))); };
  std::map<model::ConversationId, uint64_t> heads;

  for (int round = 0; round < 1500; ++round) {
    StoreBatch batch;
    for (auto n = below(3); n > 0; --n) {
      // Mostly growing, sometimes older than what is stored.
      batch.states.push_back(
          {some_conversation(), {static_cast<uint64_t>(round) * 2 + below(60)}, some_bytes()});
    }
    for (auto n = below(3); n > 0; --n) {
      const auto id = some_conversation();
      const uint64_t first = heads[id] + 1, last = first + below(5);
      heads[id] = last;
      batch.chunks.push_back({id, {first}, {last}, some_bytes()});
    }
    for (auto n = below(3); n > 0; --n) {
      batch.entries.push_back(
          {some_conversation(), {below(3)}, client(static_cast<uint8_t>(below(9))), some_bytes()});
    }
    for (auto n = below(2); n > 0; --n) batch.list_rows.push_back({{below(3)}, some_conversation()});
    for (auto n = below(3); n > 0; --n) {
      batch.checkpoints.push_back(
          {{static_cast<uint16_t>(below(600))}, {random()}, base::wall_from_ms(round), 1, random()});
    }
    if (below(2)) batch.low = model::Position{random()};
    if (below(5) == 0) batch.lineage = some_bytes();
    ASSERT_TRUE(rocks.store().commit(batch).ok());
    ASSERT_TRUE(memory.store().commit(batch).ok());
    if (below(50) == 0) {
      ASSERT_TRUE(rocks.store().sync().ok());
      ASSERT_TRUE(memory.store().sync().ok());
    }
    if (below(300) == 0) rocks.restart(), memory.restart();

    const auto id = some_conversation();
    const model::UserId user{below(3)};
    const auto key = client(static_cast<uint8_t>(below(9)));
    ASSERT_EQ(rocks.store().load_state(id).value(), memory.store().load_state(id).value()) << round;
    ASSERT_EQ(rocks.store().find_entry(id, user, key).value(),
              memory.store().find_entry(id, user, key).value());
    const model::Seq after{below(heads[id] + 3)};
    const size_t bytes_max = below(200);
    const auto left = rocks.store().read_chunks(id, after, bytes_max).value();
    const auto right = memory.store().read_chunks(id, after, bytes_max).value();
    ASSERT_EQ(left.size(), right.size()) << round;
    for (size_t i = 0; i < left.size(); ++i) {
      ASSERT_EQ(std::tie(left[i].conversation, left[i].first, left[i].last, left[i].value),
                std::tie(right[i].conversation, right[i].first, right[i].last, right[i].value));
    }
    const auto from = some_conversation(), to = some_conversation();
    const size_t limit = below(9);
    ASSERT_EQ(rocks.store().list(user, from, to, limit).value(),
              memory.store().list(user, from, to, limit).value());
    ASSERT_EQ(rocks.store().checkpoints().value(), memory.store().checkpoints().value());
    ASSERT_EQ(rocks.store().low().value(), memory.store().low().value());
    ASSERT_EQ(rocks.store().lineage().value(), memory.store().lineage().value());
  }
}

}  // namespace
}  // namespace tidings::contract
