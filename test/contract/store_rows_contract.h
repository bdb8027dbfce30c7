// What every Store must do with rows that stand in an order: chunks, entries, steps, the feed, lists.
#pragma once

#include "ports/feed.h"
#include "test/contract/store_contract_fixture.h"

namespace tidings::contract {

template <class Fixture>
class StoreRowsContract : public AnyStore<Fixture> {
 protected:
  using Numbers = std::vector<uint64_t>;
  static constexpr size_t enough_bytes = 1 << 20;

  // The first seqs of chunks.
  static Numbers firsts_of(const model::ConversationId& conversation,
                           const std::vector<StoreBatch::Chunk>& chunks) {
    Numbers out;
    for (const auto& chunk : chunks) {
      EXPECT_EQ(chunk.conversation, conversation);
      out.push_back(chunk.first.value);
    }
    return out;
  }
  Numbers firsts(const model::ConversationId& conversation, uint64_t after, size_t bytes_max = enough_bytes) {
    return firsts_of(conversation, this->store().read_chunks(conversation, {after}, bytes_max).value());
  }
  Numbers firsts_before(const model::ConversationId& conversation, uint64_t before,
                        size_t bytes_max = enough_bytes) {
    return firsts_of(conversation,
                     this->store().read_chunks_before(conversation, {before}, bytes_max).value());
  }
  // The positions of the feed.
  Numbers feed(uint64_t from, size_t bytes_max = enough_bytes) {
    Numbers out;
    const auto entries = this->store().read_feed({from}, bytes_max).value();
    for (const auto& entry : entries) out.push_back(entry.position.value);
    return out;
  }
  uint64_t feed_bytes() { return this->store().feed_bytes().value(); }
  static StoreBatch::FeedEntry fed(uint64_t position, size_t bytes = 10, int64_t ms = 0) {
    return {{position}, base::wall_from_ms(ms), base::Bytes(bytes, 'f')};
  }
};

TYPED_TEST_SUITE_P(StoreRowsContract);

TYPED_TEST_P(StoreRowsContract, ChunksAreReadFromTheOneThatReachesBeyondTheCursor) {
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

TYPED_TEST_P(StoreRowsContract, ChunksAreReadBackwardsFromTheOneThatHoldsTheSeqBefore) {
  using Firsts = std::vector<uint64_t>;
  const uint64_t large = (1ull << 40) + 1, most = ~uint64_t{0};
  this->commit({.chunks = {{conversation(1), {1}, {4}, "0123456789"},
                           {conversation(1), {5}, {5}, "0123456789"},
                           {conversation(1), {6}, {large - 1}, "0123456789"},
                           {conversation(1), {large}, {large}, "0123456789"},
                           {conversation(0), {1}, {9}, "other"},
                           {conversation(2), {1}, {9}, "other"},
                           {conversation(255, 255), {1}, {9}, "last"}}});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(this->firsts_before(conversation(1), 0), Firsts{});
    EXPECT_EQ(this->firsts_before(conversation(1), 1), Firsts{});
    EXPECT_EQ(this->firsts_before(conversation(1), 2), Firsts{1});
    EXPECT_EQ(this->firsts_before(conversation(1), 5), Firsts{1});
    EXPECT_EQ(this->firsts_before(conversation(1), 6), (Firsts{5, 1}));
    EXPECT_EQ(this->firsts_before(conversation(1), 7), (Firsts{6, 5, 1}));
    EXPECT_EQ(this->firsts_before(conversation(1), large), (Firsts{6, 5, 1}));
    EXPECT_EQ(this->firsts_before(conversation(1), large + 1), (Firsts{large, 6, 5, 1}));
    EXPECT_EQ(this->firsts_before(conversation(1), most), (Firsts{large, 6, 5, 1}));
    EXPECT_EQ(this->firsts_before(conversation(255, 255), most), Firsts{1});
    EXPECT_EQ(this->firsts_before(conversation(3), most), Firsts{});
    EXPECT_EQ(this->firsts_before(conversation(1), 7, 0), Firsts{6});
    EXPECT_EQ(this->firsts_before(conversation(1), most, 20), (Firsts{large, 6}));
    EXPECT_EQ(this->firsts_before(conversation(1), most, 21), (Firsts{large, 6, 5}));
    const auto newest = this->store().read_chunks_before(conversation(1), {7}, 1).value().at(0);
    EXPECT_EQ(newest.last, model::Seq{large - 1});
    EXPECT_EQ(newest.value, "0123456789");
    this->fixture.restart();
  }
}

TYPED_TEST_P(StoreRowsContract, SingleEntriesAreFoundByTheWholeKey) {
  this->commit({.entries = {{conversation(1), {7}, client(1), "a"}}});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(this->entries(conversation(1), 7, client(1)).single, "a");
    EXPECT_EQ(this->entries(conversation(1), 7, client(1)).block, std::nullopt);
    EXPECT_EQ(this->entries(conversation(2), 7, client(1)).single, std::nullopt);
    EXPECT_EQ(this->entries(conversation(1), 8, client(1)).single, std::nullopt);
    EXPECT_EQ(this->entries(conversation(1), 7, client(2)).single, std::nullopt);
    this->fixture.restart();
  }
}

TYPED_TEST_P(StoreRowsContract, ABlockIsFoundByEveryIdFromItsFirstToItsLast) {
  const auto far = conversation(255, 255);
  this->commit({.entries = {{conversation(1), {7}, client(25), "single"}},
                .entry_blocks = {{conversation(1), {7}, client(10), client(19), "a"},
                                 {conversation(1), {7}, client(20), client(20), "b"},
                                 {conversation(1), {7}, client(30), client(39), "c"},
                                 {conversation(1), {8}, client(50), client(59), "other person"},
                                 {conversation(2), {7}, client(50), client(59), "other conversation"},
                                 {far, {~uint64_t{0}}, client(50), client(59), "far"}}});
  for (int round = 0; round < 2; ++round) {
    const auto block = [&](int id, uint64_t user = 7, uint8_t of = 1) {
      return this->entries(conversation(of), user, client(static_cast<uint8_t>(id))).block;
    };
    for (const int id : {10, 15, 19}) EXPECT_EQ(block(id), "a") << id;
    EXPECT_EQ(block(20), "b");
    for (const int id : {30, 39}) EXPECT_EQ(block(id), "c") << id;
    for (const int id : {0, 9, 21, 25, 29, 40, 50, 255}) EXPECT_EQ(block(id), std::nullopt) << id;
    EXPECT_EQ(this->entries(conversation(1), 7, client(25)).single, "single");
    EXPECT_EQ(this->entries(conversation(1), 7, client(15)).single, std::nullopt);
    EXPECT_EQ(block(50, 8), "other person");
    EXPECT_EQ(block(49, 8), std::nullopt);
    EXPECT_EQ(block(15, 9), std::nullopt);
    EXPECT_EQ(block(55, 7, 2), "other conversation");
    EXPECT_EQ(block(15, 7, 2), std::nullopt);
    EXPECT_EQ(this->entries(far, ~uint64_t{0}, client(59)).block, "far");
    EXPECT_EQ(this->entries(far, ~uint64_t{0}, client(60)).block, std::nullopt);
    this->fixture.restart();
  }
}

TYPED_TEST_P(StoreRowsContract, AStepIsThePersonsFirstAtOrAboveTheSeq) {
  const uint64_t most = ~uint64_t{0};
  this->commit({.steps = {{conversation(1), {7}, {5}, step_value(50, "five")},
                          {conversation(1), {7}, {300}, step_value(51)},
                          {conversation(1), {8}, {6}, step_value(52)},
                          {conversation(1), {most}, {most}, step_value(53)},
                          {conversation(2), {7}, {1}, step_value(54)}}});
  for (int round = 0; round < 2; ++round) {
    const auto seq = [&](uint64_t from, uint64_t user = 7, uint8_t of = 1) -> std::optional<uint64_t> {
      const auto step = this->store().find_step(conversation(of), {user}, {from}).value();
      if (!step) return std::nullopt;
      EXPECT_EQ(step->conversation, conversation(of));
      EXPECT_EQ(step->user, model::UserId{user});
      return step->seq.value;
    };
    EXPECT_EQ(seq(0), 5u);
    EXPECT_EQ(seq(5), 5u);
    EXPECT_EQ(seq(6), 300u);
    EXPECT_EQ(seq(300), 300u);
    EXPECT_EQ(seq(301), std::nullopt);
    EXPECT_EQ(seq(0, 8), 6u);
    EXPECT_EQ(seq(7, 8), std::nullopt);
    EXPECT_EQ(seq(0, 9), std::nullopt);
    EXPECT_EQ(seq(most, most), most);
    EXPECT_EQ(seq(0, 7, 2), 1u);
    EXPECT_EQ(seq(2, 7, 2), std::nullopt);
    EXPECT_EQ(seq(0, 7, 3), std::nullopt);
    EXPECT_EQ(this->store().find_step(conversation(1), {7}, {5}).value()->value, step_value(50, "five"));
    this->fixture.restart();
  }
}

TYPED_TEST_P(StoreRowsContract, TheFeedIsReadByPosition) {
  using Positions = std::vector<uint64_t>;
  const uint64_t most = ~uint64_t{0};
  this->commit({.feed = {this->fed(300), this->fed(20)}});
  this->commit({.feed = {this->fed(1000)}});
  this->commit({.feed = {this->fed(400)}});  // of a shard that is behind
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(this->feed(0), (Positions{20, 300, 400, 1000}));
    EXPECT_EQ(this->feed(20), (Positions{20, 300, 400, 1000}));
    EXPECT_EQ(this->feed(21), (Positions{300, 400, 1000}));
    EXPECT_EQ(this->feed(1001), Positions{});
    EXPECT_EQ(this->feed(most), Positions{});
    EXPECT_EQ(this->feed(0, 0), Positions{20});
    EXPECT_EQ(this->feed(0, 20), (Positions{20, 300}));
    EXPECT_EQ(this->feed(0, 21), (Positions{20, 300, 400}));
    EXPECT_EQ(this->feed_bytes(), 40u);
    this->fixture.restart();
  }
}

TYPED_TEST_P(StoreRowsContract, TheFeedForgetsWhatIsBelowAndKnowsItsSize) {
  using Positions = std::vector<uint64_t>;
  StoreBatch batch;
  for (uint64_t n = 1; n <= 100; ++n) batch.feed.push_back(this->fed(n * 10, n));
  this->commit(batch);
  EXPECT_EQ(this->feed_bytes(), 5050u);
  this->commit({.feed_kept_from = model::Position{960}});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(this->feed(0), (Positions{960, 970, 980, 990, 1000}));
    EXPECT_EQ(this->feed_bytes(), 490u);
    this->fixture.restart();
  }
  // Written again, as a replay does, it counts once.
  this->commit({.feed = {this->fed(990, 9), this->fed(990, 9)}});
  EXPECT_EQ(this->feed_bytes(), 400u);
  // What the batch itself brings is no exception; what is at the position stays; going back changes nothing.
  this->commit({.feed = {this->fed(985, 7), this->fed(1010, 1)}, .feed_kept_from = model::Position{990}});
  EXPECT_EQ(this->feed(0), (Positions{990, 1000, 1010}));
  this->commit({.feed_kept_from = model::Position{5}});
  EXPECT_EQ(this->feed_bytes(), 110u);
  // A late one below is there until it is forgotten, too.
  this->commit({.feed = {this->fed(100, 2)}});
  EXPECT_EQ(this->feed(0), (Positions{100, 990, 1000, 1010}));
  EXPECT_EQ(this->feed_bytes(), 112u);
  this->commit({.feed_kept_from = model::Position{990}});
  EXPECT_EQ(this->feed(0), (Positions{990, 1000, 1010}));
  this->commit({.feed_kept_from = model::Position{5000}});
  this->fixture.restart();
  EXPECT_EQ(this->feed(0), Positions{});
  EXPECT_EQ(this->feed_bytes(), 0u);
}

TYPED_TEST_P(StoreRowsContract, WhatIsToBeCutFromTheFeedFollowsAgeSizeAndNeed) {
  const uint64_t all = ~uint64_t{0};
  const auto cut = [&](int64_t since_ms, uint64_t bytes_max,
                       uint64_t needed_from) -> std::optional<uint64_t> {
    const auto at =
        ports::feed_cut(this->store(), {base::wall_from_ms(since_ms), bytes_max, {needed_from}}).value();
    return at ? std::optional(at->value) : std::nullopt;
  };
  EXPECT_EQ(cut(1000, 0, all), std::nullopt);
  this->commit({.feed = {this->fed(10, 100, 1), this->fed(20, 100, 2), this->fed(30, 100, 3)}});
  EXPECT_EQ(cut(0, 300, all), std::nullopt);
  EXPECT_EQ(cut(1, 300, all), std::nullopt);
  EXPECT_EQ(cut(2, 300, all), 11u);
  EXPECT_EQ(cut(3, 300, all), 21u);
  EXPECT_EQ(cut(9, 300, all), 31u);
  EXPECT_EQ(cut(0, 299, all), 11u);
  EXPECT_EQ(cut(0, 200, all), 11u);
  EXPECT_EQ(cut(0, 199, all), 21u);
  EXPECT_EQ(cut(0, 0, all), 31u);
  EXPECT_EQ(cut(9, 0, 30), 21u);
  EXPECT_EQ(cut(9, 0, 21), 21u);
  EXPECT_EQ(cut(9, 0, 10), std::nullopt);
  this->commit({.feed_kept_from = model::Position{*cut(0, 199, all)}});
  EXPECT_EQ(cut(0, 199, all), std::nullopt);
  EXPECT_EQ(this->feed(0), std::vector<uint64_t>{30});
}

TYPED_TEST_P(StoreRowsContract, AListIsCutByRangeAndLimit) {
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

REGISTER_TYPED_TEST_SUITE_P(StoreRowsContract, ChunksAreReadFromTheOneThatReachesBeyondTheCursor,
                            ChunksAreReadBackwardsFromTheOneThatHoldsTheSeqBefore,
                            SingleEntriesAreFoundByTheWholeKey, ABlockIsFoundByEveryIdFromItsFirstToItsLast,
                            AStepIsThePersonsFirstAtOrAboveTheSeq, TheFeedIsReadByPosition,
                            TheFeedForgetsWhatIsBelowAndKnowsItsSize,
                            WhatIsToBeCutFromTheFeedFollowsAgeSizeAndNeed, AListIsCutByRangeAndLimit);

}  // namespace tidings::contract
