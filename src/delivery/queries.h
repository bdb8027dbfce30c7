// What gateways ask of a shard: pages and history (pages.cc), syncs (lists.cc), and small questions
// (queries.cc). Answers mix what the store has with what is on its way there. Every answer is for one person
// and holds nothing that this person may not see.
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
    base::Registry& metrics;
    std::function<model::Position()> folded_below;
  };
  explicit Queries(Parts parts)
      : parts_(std::move(parts)),
        under_way_(parts_.metrics.gauge("tidings_delivery_queries_under_way",
                                        "Pulls, syncs and other questions that read the store now.")) {}

  void pull(uint64_t gateway, ports::Pull query);
  void history(uint64_t gateway, const ports::History& query);
  void sync(uint64_t gateway, ports::Sync query);
  void ask_member(uint64_t gateway, const ports::AskMember& query);
  void ask_members(uint64_t gateway, const ports::AskMembers& query);
  void ask_blocks(uint64_t gateway, const ports::AskBlocks& query);
  void ask_reads(uint64_t gateway, const ports::AskReads& query);
  void ask_event(uint64_t gateway, const ports::AskEvent& query);

  // Runs `then` once the conversation is in memory (maybe inside the call); false if there is no room for it.
  bool with(const model::ConversationId& id, base::UniqueFunction<void(Conversation&)> then);
  // Whether the event stands there under that id. What cannot be compared counts as there; the conversation
  // must be in memory. `done` maybe inside the call; busy or internal if the store cannot be asked.
  void compare(const Conversation& conversation, const model::Cursor& event,
               std::function<void(wire::Answer<bool>)> done);
  // Who asks may see something of the conversation; else why not. `now`: only who is a member.
  static std::optional<wire::Code> refusal(const Conversation& conversation, model::UserId user, bool now);

 private:
  struct Range;   // events read from the store, and what of it is damaged
  struct Listed;  // what the store has for a sync

  // After a seq whose next one is committed.
  base::Result<Range> read_after(const model::ConversationId& id, model::Seq after) const;
  base::Result<Range> read_before(const model::ConversationId& id, model::Seq before) const;
  void decode_into(Range& range, const model::ConversationId& id,
                   const std::vector<ports::StoreBatch::Chunk>& chunks) const;

  void pull_loaded(uint64_t gateway, const ports::Pull& query, Conversation& c);
  base::Result<Range> read_for_pull(const model::ConversationId& id, const ports::Pull& query,
                                    model::Seq first) const;
  void history_loaded(uint64_t gateway, const ports::History& query, Conversation& c);
  void history_compared(uint64_t gateway, const ports::History& query, Conversation& c);
  // Events after `after`, upwards, as far as `stored` and the tail reach without a gap between them.
  void fill_upwards(ports::Page& page, const Conversation& c, const fold::Member& m, const Range& stored,
                    model::Seq after, size_t limit) const;
  // Events at or below `upto`, downwards; page.from moves down.
  void fill_downwards(ports::Page& page, const Conversation& c, const fold::Member& m, const Range& stored,
                      model::Seq upto, size_t limit) const;
  void add_marks(ports::Page& page, const Conversation& c, const fold::Member& m) const;

  void sync_listed(uint64_t gateway, const ports::Sync& query, const Listed& listed,
                   model::Position activity);
  base::Result<Listed> read_list(const ports::Sync& query,
                                 const std::vector<model::ConversationId>& unlisted) const;

  // On the read pool: the times of what has happened.
  base::Status add_times(const model::ConversationId& id, model::Seq seq,
                         std::vector<ports::ReadRow>& rows) const;

  void refuse_page(uint64_t gateway, uint64_t query, wire::Code code);
  bool take_slot();

  Parts parts_;
  base::GaugePart under_way_;  // queries that wait for the read pool
};

// Events by seq, decoded; [from, upto] is all that was read. Rows that are there and cannot be decoded have
// no events.
struct Queries::Range {
  std::vector<model::Event> events;  // growing
  model::Seq from{1}, upto{0};       // empty: nothing was read
  bool was_committed = false;        // the store was asked for what it surely had
  bool has(model::Seq seq) const { return seq >= from && seq <= upto; }
};

}  // namespace tidings::delivery
