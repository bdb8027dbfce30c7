// A conversation in the memory of the shard that owns it: its decision state, what waits for it, and what the
// store does not have yet.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/task.h"
#include "fold/fold.h"
#include "model/record.h"

namespace tidings::delivery {

// A record that was dispatched: its place is fixed, its turn comes when the conversation is ready.
struct Dispatched {
  fold::Place place;
  model::Command command;
  uint64_t ticket = 0;  // in the dispatcher's list of records under way; 0: folded at once, not listed
};

struct Conversation {
  enum class Phase { loading, ready, looking_up };

  model::ConversationId id;
  model::PartitionId partition;
  Phase phase = Phase::loading;
  fold::ConversationState state;
  std::deque<Dispatched> queue;  // suspended; only while not ready
  uint32_t expected = 0;  // commands given to the log and not yet back: keeps the conversation in memory
  std::vector<base::Task> waiting_queries;  // run when it is loaded

  // Not in the store yet.
  bool dirty = false;
  std::deque<model::Event> tail;  // events that are not committed
  model::Seq taken;               // events up to here went into a flush
  std::map<std::pair<model::UserId, model::ClientId>, fold::Entry>
      entries;                             // rows of their own, not committed
  std::vector<model::UserId> new_members;  // whose list rows went into no flush yet

  // Nothing is lost if it goes: it does not exist, and nobody waits for it.
  bool is_empty_shell() const {
    return phase == Phase::ready && !state.exists() && queue.empty() && expected == 0 &&
           waiting_queries.empty();
  }
};

}  // namespace tidings::delivery
