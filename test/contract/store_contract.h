// What every Store must do with what stands for itself: states and their parts, checkpoints, single values.
#pragma once

#include <atomic>
#include <thread>

#include "test/contract/store_contract_fixture.h"

namespace tidings::contract {

using ports::StatePart;
using ports::StoredState;

template <class Fixture>
class StoreContract : public AnyStore<Fixture> {};
TYPED_TEST_SUITE_P(StoreContract);

TYPED_TEST_P(StoreContract, AnEmptyStoreHasNothing) {
  auto& store = this->store();
  EXPECT_EQ(store.load_state(conversation(1)).value(), std::nullopt);
  EXPECT_EQ(store.load_states({conversation(1)}, "part").value(), std::vector<std::optional<StoredState>>(1));
  EXPECT_EQ(this->entries(conversation(1), 7, client(1)).single, std::nullopt);
  EXPECT_EQ(this->entries(conversation(1), 7, client(1)).block, std::nullopt);
  EXPECT_TRUE(store.read_chunks(conversation(1), {0}, 1000).value().empty());
  EXPECT_TRUE(store.read_chunks_before(conversation(1), {9}, 1000).value().empty());
  EXPECT_FALSE(store.find_step(conversation(1), {7}, {0}).value().has_value());
  EXPECT_TRUE(store.read_feed({0}, 1000).value().empty());
  EXPECT_EQ(store.feed_bytes().value(), 0u);
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
    EXPECT_EQ(store.load_state(conversation(1)).value(),
              (StoredState{std::string("state\0one", 9), {{"part", "value"}}}));
    const auto chunks = store.read_chunks(conversation(1), {0}, 1000).value();
    ASSERT_EQ(chunks.size(), 1u);
    EXPECT_EQ(chunks[0].first, model::Seq{1});
    EXPECT_EQ(chunks[0].last, model::Seq{3});
    EXPECT_EQ(chunks[0].value, "chunk");
    EXPECT_EQ(this->entries(conversation(1), 7, client(1)).single, "entry");
    EXPECT_EQ(this->entries(conversation(1), 7, client(1)).block, "block");
    const auto step = store.find_step(conversation(1), {7}, {2}).value();
    ASSERT_TRUE(step.has_value());
    EXPECT_EQ(step->seq, model::Seq{3});
    EXPECT_EQ(step->value, step_value(1));
    const auto feed = store.read_feed({0}, 1000).value();
    ASSERT_EQ(feed.size(), 1u);
    EXPECT_EQ(feed[0].position, model::Position{10});
    EXPECT_EQ(feed[0].time, base::wall_from_ms(1795300000123));
    EXPECT_EQ(feed[0].value, "fed");
    EXPECT_EQ(store.feed_bytes().value(), 3u);
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
  EXPECT_EQ(this->value(conversation(1)), "a");
  write(100, "again");
  EXPECT_EQ(this->value(conversation(1)), "again");
  write(1000, "b");
  this->fixture.restart();
  write(999, "older");
  EXPECT_EQ(this->value(conversation(1)), "b");
  // The rest of such a batch counts, and a state that has no older version is new however low its own.
  this->commit({.states = {{conversation(1), {5}, "older"}, {conversation(2), {5}, "new"}},
                .low = model::Position{8}});
  EXPECT_EQ(this->value(conversation(1)), "b");
  EXPECT_EQ(this->value(conversation(2)), "new");
  EXPECT_EQ(this->store().low().value(), model::Position{8});
  this->commit({.states = {{conversation(3), {7}, "newest"}, {conversation(3), {6}, "older"}}});
  EXPECT_EQ(this->value(conversation(3)), "newest");
}

TYPED_TEST_P(StoreContract, AStateOfALowerVersionDoesNotChangeItsPartsEither) {
  const auto write = [&](uint64_t version, const base::Bytes& part, const base::Bytes& value) {
    this->commit({.states = {{conversation(1), {version}, value, {{part, value}}}}});
  };
  const auto stored = [&] { return this->store().load_state(conversation(1)).value(); };
  write(100, "a", "new");
  write(99, "a", "older");
  write(99, "b", "older");
  EXPECT_EQ(stored(), (StoredState{"new", {{"a", "new"}}}));
  write(100, "b", "again");
  EXPECT_EQ(stored(), (StoredState{"again", {{"a", "new"}, {"b", "again"}}}));
  this->fixture.restart();
  write(99, "a", "older");
  EXPECT_EQ(stored(), (StoredState{"again", {{"a", "new"}, {"b", "again"}}}));
  this->commit({.states = {{conversation(1), {102}, "newest", {{"a", "newest"}}},
                           {conversation(1), {101}, "older", {{"a", "older"}, {"c", "older"}}},
                           {conversation(1), {102}, "newest, too", {{"c", "newest, too"}}}}});
  EXPECT_EQ(stored(), (StoredState{"newest, too", {{"a", "newest"}, {"b", "again"}, {"c", "newest, too"}}}));
}

TYPED_TEST_P(StoreContract, PartsAreOfOneConversationAndComeByKey) {
  const base::Bytes high(32, '\xff'), zero(1, '\0');
  const std::vector<StatePart> parts{{zero, "z"}, {"a", ""}, {"ab", "2"}, {high, "h"}};
  const std::vector<StatePart> written{parts[3], parts[1], parts[0], parts[2]};
  for (const auto& id : {conversation(1), conversation(2), conversation(255, 255)}) {
    this->commit({.states = {{id, {1}, "value", written}}});
  }
  this->commit({.states = {{conversation(3), {1}, "without", {}}}});
  for (int round = 0; round < 2; ++round) {
    for (const auto& id : {conversation(1), conversation(2), conversation(255, 255)}) {
      EXPECT_EQ(this->store().load_state(id).value(), (StoredState{"value", parts}));
    }
    EXPECT_EQ(this->store().load_state(conversation(3)).value(), (StoredState{"without", {}}));
    this->fixture.restart();
  }
  // What a later write does not name stays.
  this->commit({.states = {{conversation(1), {2}, "later", {{"ab", "3"}}}}});
  this->commit({.states = {{conversation(1), {3}, "last", {}}}});
  EXPECT_EQ(this->store().load_state(conversation(1)).value(),
            (StoredState{"last", {parts[0], parts[1], {"ab", "3"}, parts[3]}}));
  EXPECT_EQ(this->store().load_state(conversation(2)).value(), (StoredState{"value", parts}));
}

TYPED_TEST_P(StoreContract, ManyStatesComeInTheOrderAskedEachWithOnePart) {
  this->commit({.states = {{conversation(1), {1}, "one", {{"a", "1a"}, {"ab", "1ab"}}},
                           {conversation(2), {1}, "", {{"b", "2b"}}},
                           {conversation(3), {1}, "three", {}}}});
  const std::vector asked{conversation(2), conversation(9), conversation(1), conversation(3),
                          conversation(2)};
  using States = std::vector<std::optional<StoredState>>;
  for (int round = 0; round < 2; ++round) {
    auto& store = this->store();
    EXPECT_EQ(store.load_states(asked, "a").value(),
              (States{StoredState{"", {}}, std::nullopt, StoredState{"one", {{"a", "1a"}}},
                      StoredState{"three", {}}, StoredState{"", {}}}));
    EXPECT_EQ(store.load_states(asked, "b").value(),
              (States{StoredState{"", {{"b", "2b"}}}, std::nullopt, StoredState{"one", {}},
                      StoredState{"three", {}}, StoredState{"", {{"b", "2b"}}}}));
    EXPECT_EQ(store.load_states(asked, "").value(),
              (States{StoredState{"", {}}, std::nullopt, StoredState{"one", {}}, StoredState{"three", {}},
                      StoredState{"", {}}}));
    EXPECT_TRUE(store.load_states({}, "a").value().empty());
    this->fixture.restart();
  }
}

TYPED_TEST_P(StoreContract, ALoadIsNeverAMixOfTwoWrites) {
  const auto write = [&](uint64_t n) {
    // Large, so that there is time for a write between the reads of a value and of its parts.
    base::Bytes value = std::to_string(n), part = value;
    value.resize(16 * 1024, '.');
    this->commit({.states = {{conversation(1), {n}, value, {{"a", part}, {"b", part}}},
                             {conversation(2), {n}, part, {}}}});
  };
  write(1);
  std::atomic<bool> done{false};
  std::thread reader([&] {
    const std::vector asked{conversation(2), conversation(1)};
    for (int round = 0; round < 3000; ++round) {
      const auto state = *this->store().load_state(conversation(1)).value();
      for (const auto& part : state.parts)
        ASSERT_TRUE(state.value.starts_with(part.value + ".")) << part.value;
      const auto states = this->store().load_states(asked, "b").value();
      const auto& part = states[1]->parts.at(0).value;
      ASSERT_TRUE(states[1]->value.starts_with(part + ".")) << part;
      ASSERT_EQ(states[0]->value, part);
    }
  });
  std::thread ended([&] { reader.join(), done = true; });
  for (uint64_t n = 2; !done; ++n) write(n);
  ended.join();
}

TYPED_TEST_P(StoreContract, CheckpointsAreOnePerPartition) {
  const Checkpoint low{{3}, {1}, base::wall_from_ms(1), 1, 1}, high{{300}, {2}, base::wall_from_ms(2), 1, 2};
  const Checkpoint stream{model::stream_partition, {3}, base::wall_from_ms(-3), 2, ~uint64_t{0}, {3}};
  this->commit({.checkpoints = {stream, low, high}});
  EXPECT_EQ(this->store().checkpoints().value(), (std::vector{low, high, stream}));
  const Checkpoint later{{3}, {9}, base::wall_from_ms(9), 1, 9, {8}};
  this->commit({.checkpoints = {later}});
  EXPECT_EQ(this->store().checkpoints().value(), (std::vector{later, high, stream}));
}

REGISTER_TYPED_TEST_SUITE_P(StoreContract, AnEmptyStoreHasNothing,
                            WhatWasCommittedIsReadAndSurvivesTheProcess, WhatABatchDoesNotNameStays,
                            AStateOfALowerVersionChangesNothing,
                            AStateOfALowerVersionDoesNotChangeItsPartsEither,
                            PartsAreOfOneConversationAndComeByKey,
                            ManyStatesComeInTheOrderAskedEachWithOnePart, ALoadIsNeverAMixOfTwoWrites,
                            CheckpointsAreOnePerPartition);

}  // namespace tidings::contract
