// What the suites over every Store have in common. An engine takes part by a fixture:
//   struct Fixture {
//     tidings::ports::Store& store();  // an empty one at first
//     void restart();                  // the process ends without a sync (kill -9 or less) and starts again
//   };
// and INSTANTIATE_TYPED_TEST_SUITE_P(Name, StoreContract, Fixture), and the same with StoreRowsContract.
#pragma once

#include <gtest/gtest.h>

#include "ports/store.h"

namespace tidings::contract {

using ports::Checkpoint;
using ports::StoreBatch;

template <class Fixture>
class AnyStore : public testing::Test {
 protected:
  ports::Store& store() { return fixture.store(); }
  void commit(const StoreBatch& batch) {
    const auto done = store().commit(batch);
    ASSERT_TRUE(done.ok()) << done.error().sentence;
  }
  std::optional<base::Bytes> value(const model::ConversationId& conversation) {
    auto state = store().load_state(conversation).value();
    return state ? std::optional(state->value) : std::nullopt;
  }
  ports::Store::FoundEntries entries(const model::ConversationId& conversation, uint64_t user,
                                     const model::ClientId& client_id) {
    return store().find_entry(conversation, {user}, client_id).value();
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

// A step's value: the time, and something.
inline base::Bytes step_value(int64_t ms, base::BytesView rest = {}) {
  base::Bytes value;
  base::Writer out(value);
  out.fixed(ms);
  out.raw(rest);
  return value;
}

// One of everything.
inline StoreBatch one_of_everything() {
  return {.states = {{conversation(1), {10}, std::string("state\0one", 9), {{"part", "value"}}}},
          .chunks = {{conversation(1), {1}, {3}, "chunk"}},
          .entries = {{conversation(1), {7}, client(1), "entry"}},
          .entry_blocks = {{conversation(1), {7}, client(1), client(9), "block"}},
          .list_rows = {{{7}, conversation(1)}},
          .steps = {{conversation(1), {7}, {3}, step_value(1)}},
          .feed = {{{10}, base::wall_from_ms(1795300000123), "fed"}},
          .damaged = {{conversation(1), "damaged"}},
          .checkpoints = {{{5}, {10}, base::wall_from_ms(1795300000123), 1, 0xFEDCBA9876543210, {9}}},
          .low = model::Position{11},
          .lineage = "lineage"};
}

}  // namespace tidings::contract
