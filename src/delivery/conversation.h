// A conversation in the memory of the shard that owns it: its decision state, what waits for it, and what the
// store does not have yet.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
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
  model::Entering record;
  uint64_t ticket = 0;  // in the dispatcher's list of records under way; 0: folded at once, not listed
  base::MonotonicTime durable{};  // of a command appended by this run: since when
};

struct Conversation {
  enum class Phase {
    loading,
    ready,
    looking_up,
    damaged,  // its state cannot be decoded: until its quarantine comes everything is answered `internal`
  };

  model::ConversationId id;
  model::PartitionId partition;
  Phase phase = Phase::loading;
  fold::ConversationState state;
  std::deque<Dispatched> queue;  // suspended; only while not ready
  uint32_t expected = 0;  // records given to the log and not yet back: keeps the conversation in memory
  std::vector<base::Task> waiting_queries;  // run when it is loaded

  // Not in the store yet.
  bool dirty = false;
  bool in_flush = false;          // part of the flush that is under way
  uint64_t committed_epoch = 0;   // of Conversations, when it was committed last
  std::deque<model::Event> tail;  // events that are not committed
  model::Seq taken;               // events up to here went into a flush
  struct Left {
    fold::Entry entry;
    bool in_block = false;  // it goes to the store in a block
  };
  std::map<std::pair<model::UserId, model::ClientId>, Left> entries;  // left the state, not committed
  // Read from the store for what waits in the queue; a storm of repeats asks for neighbours.
  std::map<std::pair<model::UserId, model::ClientId>, fold::Entry> read_entries;
  std::vector<std::pair<model::UserId, std::vector<fold::KeyedEntry>>> blocks;  // went into no flush yet
  std::vector<model::UserId> new_members;  // whose list rows went into no flush yet
  struct StepTimes {
    std::optional<base::WallTime> read, delivered;
  };
  std::map<model::UserId, StepTimes> marks_moved;  // of a group, went into no flush yet: when
  bool receipt_waits = false;                      // marks moved of which nobody was told yet
  std::optional<base::Bytes> damaged;              // what could not be decoded, went into no flush yet

  std::list<Conversation*>::iterator age;  // in Conversations: used last at the end

  // It may leave memory: the store has all of it, and nobody waits for it.
  bool is_clean() const {
    return phase == Phase::ready && !dirty && !in_flush && !receipt_waits && queue.empty() && expected == 0 &&
           tail.empty() && waiting_queries.empty();
  }
  // There is nothing to remember.
  bool is_empty_shell() const { return is_clean() && !state.exists() && state.applied.value == 0; }
};

}  // namespace tidings::delivery
