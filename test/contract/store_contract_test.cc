#include "test/contract/store_contract.h"

#include <random>

#include "engine/embedded/rocks_store.h"
#include "engine/memory/memory_store.h"
#include "test/contract/store_rows_contract.h"
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
  void compact() { TIDINGS_CHECK(store_->compact().ok()); }

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
INSTANTIATE_TYPED_TEST_SUITE_P(Rocks, StoreRowsContract, RocksFixture);
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StoreRowsContract, MemoryFixture);

void expect_equal(const std::vector<StoreBatch::Chunk>& left, const std::vector<StoreBatch::Chunk>& right) {
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i) {
    ASSERT_EQ(std::tie(left[i].conversation, left[i].first, left[i].last, left[i].value),
              std::tie(right[i].conversation, right[i].first, right[i].last, right[i].value));
  }
}
void expect_equal(const std::optional<StoreBatch::Step>& left, const std::optional<StoreBatch::Step>& right) {
  ASSERT_EQ(left.has_value(), right.has_value());
  if (left) ASSERT_EQ(std::tie(left->seq, left->value), std::tie(right->seq, right->value));
}
void expect_equal(const std::vector<StoreBatch::FeedEntry>& left,
                  const std::vector<StoreBatch::FeedEntry>& right) {
  ASSERT_EQ(left.size(), right.size());
  for (size_t i = 0; i < left.size(); ++i) {
    ASSERT_EQ(std::tie(left[i].position, left[i].time, left[i].value),
              std::tie(right[i].position, right[i].time, right[i].value));
  }
}

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
  const auto some_part = [&] { return base::Bytes(1 + below(3), static_cast<char>(below(3))); };
  const auto some_position = [&](int round) {
    return model::Position{static_cast<uint64_t>(std::max(round, 0)) + below(20)};
  };
  std::map<model::ConversationId, uint64_t> heads;
  std::map<std::pair<model::ConversationId, model::UserId>, uint8_t> next_clients;

  for (int round = 0; round < 1500; ++round) {
    StoreBatch batch;
    for (auto n = below(3); n > 0; --n) {
      // Mostly growing, sometimes older than what is stored.
      StoreBatch::State state{
          some_conversation(), {static_cast<uint64_t>(round) * 2 + below(60)}, some_bytes(), {}};
      for (auto parts = below(3); parts > 0; --parts) state.parts.push_back({some_part(), some_bytes()});
      batch.states.push_back(std::move(state));
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
    if (below(3) == 0) {
      const auto id = some_conversation();
      const model::UserId user{below(3)};
      auto& next = next_clients[{id, user}];
      if (next < 200) {
        const auto first = static_cast<uint8_t>(next + below(3)),
                   last = static_cast<uint8_t>(first + below(5));
        next = static_cast<uint8_t>(last + 1);
        batch.entry_blocks.push_back({id, user, client(first), client(last), some_bytes()});
      }
    }
    for (auto n = below(2); n > 0; --n)
      batch.steps.push_back({some_conversation(), {below(3)}, {below(50)}, step_value(round, some_bytes())});
    for (auto n = below(3); n > 0; --n)
      batch.feed.push_back({some_position(round), base::wall_from_ms(round), some_bytes()});
    if (below(9) == 0) batch.feed_kept_from = some_position(round - 30);
    for (auto n = below(2); n > 0; --n) batch.list_rows.push_back({{below(3)}, some_conversation()});
    for (auto n = below(3); n > 0; --n) {
      batch.checkpoints.push_back({{static_cast<uint16_t>(below(600))},
                                   {random()},
                                   base::wall_from_ms(round),
                                   1,
                                   random(),
                                   {random()}});
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
    if (below(100) == 0) rocks.compact();

    const auto id = some_conversation();
    const model::UserId user{below(3)};
    const auto key = client(static_cast<uint8_t>(below(2) ? below(9) : below(210)));
    ASSERT_EQ(rocks.store().load_state(id).value(), memory.store().load_state(id).value()) << round;
    std::vector<model::ConversationId> several;
    for (auto n = below(6); n > 0; --n) several.push_back(some_conversation());
    const auto part = below(4) ? some_part() : "";
    ASSERT_EQ(rocks.store().load_states(several, part).value(),
              memory.store().load_states(several, part).value());
    const auto entries = rocks.store().find_entry(id, user, key).value(),
               same = memory.store().find_entry(id, user, key).value();
    ASSERT_EQ(std::tie(entries.single, entries.block), std::tie(same.single, same.block)) << round;
    const model::Seq seq{below(heads[id] + 3)};
    const size_t bytes_max = below(200);
    expect_equal(rocks.store().read_chunks(id, seq, bytes_max).value(),
                 memory.store().read_chunks(id, seq, bytes_max).value());
    expect_equal(rocks.store().read_chunks_before(id, seq, bytes_max).value(),
                 memory.store().read_chunks_before(id, seq, bytes_max).value());
    const model::Seq step{below(60)};
    expect_equal(rocks.store().find_step(id, user, step).value(),
                 memory.store().find_step(id, user, step).value());
    const auto position = below(2) ? model::Position{} : some_position(round - 20);
    expect_equal(rocks.store().read_feed(position, bytes_max).value(),
                 memory.store().read_feed(position, bytes_max).value());
    ASSERT_EQ(rocks.store().feed_bytes().value(), memory.store().feed_bytes().value());
    ASSERT_FALSE(HasFailure()) << round;
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
