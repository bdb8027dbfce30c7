// What gateways ask of a shard: pages, syncs, membership. Answers mix what the store has with what is on its
// way there.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/limits.h"
#include "delivery/conversations.h"
#include "delivery/flush.h"
#include "delivery/registry.h"
#include "ports/store.h"

namespace tidings::delivery {

class Queries {
 public:
  struct Parts {
    size_t index = 0, shard_count = 1;
    base::Executor& executor;
    base::Executor& readers;
    ports::Store& store;
    Conversations& conversations;
    Flush& flush;
    Registry& registry;
    const base::Limits& limits;
    std::function<model::Position()> folded_below;
  };
  explicit Queries(Parts parts) : parts_(std::move(parts)) {}

  void pull(uint64_t gateway, ports::Pull query);
  void sync(uint64_t gateway, ports::Sync query);
  void ask_member(uint64_t gateway, const ports::AskMember& query);

 private:
  struct Stored;  // what the store has for a pull
  struct Listed;  // what the store has for a sync

  // Runs `then` once the conversation is in memory; false if there is no room for it.
  bool with(const model::ConversationId& id, std::function<void(Conversation&)> then);
  void pull_loaded(uint64_t gateway, const ports::Pull& query, Conversation& c);
  base::Result<Stored> read_stored(const model::ConversationId& id, const ports::Pull& query) const;
  wire::Answer<ports::Page> page(const ports::Pull& query, Conversation& c, const Stored& stored) const;
  void sync_listed(uint64_t gateway, const ports::Sync& query, const Listed& listed,
                   model::Position activity);
  void refuse_page(uint64_t gateway, uint64_t query, wire::Code code);
  bool take_slot();

  Parts parts_;
  size_t under_way_ = 0;  // queries that wait for the read pool
};

}  // namespace tidings::delivery
