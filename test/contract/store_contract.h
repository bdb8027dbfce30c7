// What every Store must do. An engine takes part by a fixture:
//   struct Fixture {
//     tidings::ports::Store& store();  // an empty one at first
//     void restart();                  // the process ends without a sync (kill -9 or less) and starts again
//   };
// and INSTANTIATE_TYPED_TEST_SUITE_P(Name, StoreContract, Fixture).
#pragma once

#include <gtest/gtest.h>

#include "ports/store.h"

namespace tidings::contract {

using ports::Checkpoint;
using ports::StoreBatch;

template <class Fixture>
class StoreContract : public testing::Test {
 protected:
  ports::Store& store() { return fixture.store(); }
  void commit(const StoreBatch& batch) {
    const auto done = store().commit(batch);
    ASSERT_TRUE(done.ok()) << done.error().sentence;
  }
  std::optional<base::Bytes> state(const model::ConversationId& conversation) {
    return store().load_state(conversation).value();
  }
  // The first seqs of the chunks read.
  std::vector<uint64_t> firsts(const model::ConversationId& conversation, uint64_t after,
                               size_t bytes_max = 1 << 20) {
    std::vector<uint64_t> out;
    const auto chunks = store().read_chunks(conversation, {after}, bytes_max).value();
    for (const auto& chunk : chunks) {
      EXPECT_EQ(chunk.conversation, conversation);
      out.push_back(chunk.first.value);
    }
    return out;
  }

  Fixture fixture;
};

// Ids that lie next to each other, and at both ends.
inline model::ConversationId conversation(uint8_t last, uint8_t all = 0) {
  model::ConversationId id;
  id.bytes.fill(all);
  id.bytes[15] = last;
  return id;
}
inline model::ClientId client(uint8_t last) {
  return {conversation(last).bytes};
}

// One of everything.
inline StoreBatch one_of_everything() {
  return {.states = {{conversation(1), {10}, std::string("state\0one", 9)}},
          .chunks = {{conversation(1), {1}, {3}, "chunk"}},
          .entries = {{conversation(1), {7}, client(1), "entry"}},
          .list_rows = {{{7}, conversation(1)}},
          .checkpoints = {{{5}, {10}, base::wall_from_ms(1795300000123), 1, 0xFEDCBA9876543210}},
          .low = model::Position{11},
          .lineage = "lineage"};
}

TYPED_TEST_SUITE_P(StoreContract);

TYPED_TEST_P(StoreContract, AnEmptyStoreHasNothing) {
  auto& store = this->store();
  EXPECT_EQ(this->state(conversation(1)), std::nullopt);
  EXPECT_EQ(store.find_entry(conversation(1), {7}, client(1)).value(), std::nullopt);
  EXPECT_TRUE(store.read_chunks(conversation(1), {0}, 1000).value().empty());
  EXPECT_TRUE(store.list({7}, conversation(0), conversation(255, 255), 10).value().empty());
  EXPECT_TRUE(store.checkpoints().value().empty());
  EXPECT_EQ(store.low().value(), model::Position{0});
  EXPECT_EQ(store.lineage().value(), std::nullopt);
  EXPECT_TRUE(store.sync().ok());
}

TYPED_TEST_P(StoreContract, WhatWasCommittedIsReadAndSurvivesTheProcess) {
  this->commit(one_of_everything());
  for (int round = 0; round < 2; ++round) {
    auto& store = this->store();
    EXPECT_EQ(this->state(conversation(1)), std::string("state\0one", 9));
    const auto chunks = store.read_chunks(conversation(1), {0}, 1000).value();
    ASSERT_EQ(chunks.size(), 1u);
    EXPECT_EQ(chunks[0].first, model::Seq{1});
    EXPECT_EQ(chunks[0].last, model::Seq{3});
    EXPECT_EQ(chunks[0].value, "chunk");
    EXPECT_EQ(store.find_entry(conversation(1), {7}, client(1)).value(), "entry");
    EXPECT_EQ(store.list({7}, conversation(0), conversation(255, 255), 10).value(),
              std::vector{conversation(1)});
    EXPECT_EQ(store.checkpoints().value(), one_of_everything().checkpoints);
    EXPECT_EQ(store.low().value(), model::Position{11});
    EXPECT_EQ(store.lineage().value(), "lineage");
    this->fixture.restart();
  }
}

TYPED_TEST_P(StoreContract, WhatABatchDoesNotNameStays) {
  this->commit(one_of_everything());
  this->commit({});
  EXPECT_EQ(this->store().low().value(), model::Position{11});
  EXPECT_EQ(this->store().lineage().value(), "lineage");
  this->commit({.low = model::Position{0}, .lineage = ""});
  EXPECT_EQ(this->store().low().value(), model::Position{0});
  EXPECT_EQ(this->store().lineage().value(), "");
}

TYPED_TEST_P(StoreContract, AStateOfALowerVersionChangesNothing) {
  const auto write = [&](uint64_t version, const char* value) {
    this->commit({.states = {{conversation(1), {version}, value}}});
  };
  write(100, "a");
  write(99, "older");
  EXPECT_EQ(this->state(conversation(1)), "a");
  write(100, "again");
  EXPECT_EQ(this->state(conversation(1)), "again");
  write(1000, "b");
  this->fixture.restart();
  write(999, "older");
  EXPECT_EQ(this->state(conversation(1)), "b");
  // The rest of such a batch counts, and a state that has no older version is new however low its own.
  this->commit({.states = {{conversation(1), {5}, "older"}, {conversation(2), {5}, "new"}},
                .low = model::Position{8}});
  EXPECT_EQ(this->state(conversation(1)), "b");
  EXPECT_EQ(this->state(conversation(2)), "new");
  EXPECT_EQ(this->store().low().value(), model::Position{8});
  this->commit({.states = {{conversation(3), {7}, "newest"}, {conversation(3), {6}, "older"}}});
  EXPECT_EQ(this->state(conversation(3)), "newest");
}

TYPED_TEST_P(StoreContract, ManyStatesComeInTheOrderAsked) {
  this->commit({.states = {{conversation(1), {1}, "one"}, {conversation(2), {1}, ""}}});
  const auto states =
      this->store().load_states({conversation(2), conversation(9), conversation(1), conversation(2)}).value();
  using Values = std::vector<std::optional<base::Bytes>>;
  EXPECT_EQ(states, (Values{"", std::nullopt, "one", ""}));
  EXPECT_TRUE(this->store().load_states({}).value().empty());
}

TYPED_TEST_P(StoreContract, ChunksAreReadFromTheOneThatReachesBeyondTheCursor) {
  using Firsts = std::vector<uint64_t>;
  const uint64_t large = (1ull << 40) + 1;
  this->commit({.chunks = {{conversation(1), {1}, {4}, "0123456789"},
                           {conversation(1), {5}, {5}, "0123456789"},
                           {conversation(1), {6}, {large - 1}, "0123456789"},
                           {conversation(1), {large}, {large}, "0123456789"},
                           {conversation(0), {1}, {9}, "other"},
                           {conversation(2), {1}, {9}, "other"},
                           {conversation(255, 255), {1}, {9}, "last"}}});
  EXPECT_EQ(this->firsts(conversation(1), 0), (Firsts{1, 5, 6, large}));
  EXPECT_EQ(this->firsts(conversation(1), 3), (Firsts{1, 5, 6, large}));
  EXPECT_EQ(this->firsts(conversation(1), 4), (Firsts{5, 6, large}));
  EXPECT_EQ(this->firsts(conversation(1), 5), (Firsts{6, large}));
  EXPECT_EQ(this->firsts(conversation(1), large - 1), (Firsts{large}));
  EXPECT_EQ(this->firsts(conversation(1), large), Firsts{});
  EXPECT_EQ(this->firsts(conversation(1), ~uint64_t{0}), Firsts{});
  EXPECT_EQ(this->firsts(conversation(255, 255), 0), Firsts{1});
  EXPECT_EQ(this->firsts(conversation(1), 4, 0), Firsts{5});
  EXPECT_EQ(this->firsts(conversation(1), 0, 20), (Firsts{1, 5}));
  EXPECT_EQ(this->firsts(conversation(1), 0, 21), (Firsts{1, 5, 6}));
}

TYPED_TEST_P(StoreContract, EntriesAreFoundByTheWholeKey) {
  this->commit({.entries = {{conversation(1), {7}, client(1), "a"}}});
  EXPECT_EQ(this->store().find_entry(conversation(1), {7}, client(1)).value(), "a");
  EXPECT_EQ(this->store().find_entry(conversation(2), {7}, client(1)).value(), std::nullopt);
  EXPECT_EQ(this->store().find_entry(conversation(1), {8}, client(1)).value(), std::nullopt);
  EXPECT_EQ(this->store().find_entry(conversation(1), {7}, client(2)).value(), std::nullopt);
}

TYPED_TEST_P(StoreContract, AListIsCutByRangeAndLimit) {
  const model::UserId user{0x100}, neighbour{0x101};
  StoreBatch batch;
  for (const uint8_t n : std::vector<uint8_t>{9, 1, 5, 3, 7})
    batch.list_rows.push_back({user, conversation(n)});
  batch.list_rows.push_back({user, conversation(255, 255)});
  batch.list_rows.push_back({neighbour, conversation(0)});
  this->commit(batch);
  this->commit(batch);
  const auto list = [&](uint8_t from, model::ConversationId to, size_t limit) {
    std::vector<int> out;
    const auto found = this->store().list(user, conversation(from), to, limit).value();
    for (const auto& id : found) out.push_back(id.bytes[15]);
    return out;
  };
  EXPECT_EQ(list(0, conversation(255, 255), 100), (std::vector{1, 3, 5, 7, 9, 255}));
  EXPECT_EQ(list(3, conversation(7), 100), (std::vector{3, 5, 7}));
  EXPECT_EQ(list(4, conversation(6), 100), (std::vector{5}));
  EXPECT_EQ(list(3, conversation(7), 2), (std::vector{3, 5}));
  EXPECT_EQ(list(3, conversation(7), 0), std::vector<int>{});
  EXPECT_EQ(list(7, conversation(3), 10), std::vector<int>{});
}

TYPED_TEST_P(StoreContract, CheckpointsAreOnePerPartition) {
  const Checkpoint low{{3}, {1}, base::wall_from_ms(1), 1, 1}, high{{300}, {2}, base::wall_from_ms(2), 1, 2};
  const Checkpoint stream{model::stream_partition, {3}, base::wall_from_ms(-3), 2, ~uint64_t{0}};
  this->commit({.checkpoints = {stream, low, high}});
  EXPECT_EQ(this->store().checkpoints().value(), (std::vector{low, high, stream}));
  const Checkpoint later{{3}, {9}, base::wall_from_ms(9), 1, 9};
  this->commit({.checkpoints = {later}});
  EXPECT_EQ(this->store().checkpoints().value(), (std::vector{later, high, stream}));
}

REGISTER_TYPED_TEST_SUITE_P(StoreContract, AnEmptyStoreHasNothing,
                            WhatWasCommittedIsReadAndSurvivesTheProcess, WhatABatchDoesNotNameStays,
                            AStateOfALowerVersionChangesNothing, ManyStatesComeInTheOrderAsked,
                            ChunksAreReadFromTheOneThatReachesBeyondTheCursor, EntriesAreFoundByTheWholeKey,
                            AListIsCutByRangeAndLimit, CheckpointsAreOnePerPartition);

}  // namespace tidings::contract
