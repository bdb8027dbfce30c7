// The conversations in a shard's memory, and how they get there and leave it: loaded on the read pool, while
// only they wait; evicted when they are clean, those first that were not used for longest.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "delivery/conversation.h"
#include "ports/store.h"

namespace tidings::delivery {

class Conversations {
 public:
  struct Parts {
    base::Executor& executor;
    base::Executor& readers;
    ports::Store& store;
    const base::Limits& limits;
    base::Registry& metrics;
    std::function<void(Conversation&)> ready;    // a load or look-up ended; its queue may go on
    std::function<void(Conversation&)> damaged;  // it is in phase `damaged` now
  };
  explicit Conversations(Parts parts);

  Conversation* find(const model::ConversationId& id);
  // The conversation, which begins to load if it is not in memory. For what is in the log already.
  Conversation& must_get(const model::ConversationId& id);
  // The same for what may be refused: nullptr if states_max (with nothing to evict) or loads_in_flight_max is
  // reached.
  Conversation* try_get(const model::ConversationId& id);
  bool load_would_wait(const model::ConversationId& id) const;

  // Reads the entries that the front of the queue needs; then `done`, here. The conversation is `looking_up`
  // till then.
  using LookedUp = std::function<void(Conversation&, fold::Found)>;
  void look_up(Conversation& conversation, model::UserId user, const fold::Lookups& needed, LookedUp done);

  // A list of the store is read beside what is in memory: until it is done nothing leaves memory that was
  // committed since, or the answer would have neither.
  uint64_t begin_list() {
    lists_.insert(++epoch_);
    return epoch_;
  }
  void end_list(uint64_t list) { lists_.erase(list); }
  void committed(Conversation& conversation) { conversation.committed_epoch = epoch_; }

  // Forgets it if nothing is lost by that.
  void drop_if_empty(Conversation& conversation);

 private:
  void load(Conversation& conversation);
  void read_state(const model::ConversationId& id);
  void loaded(const model::ConversationId& id, base::Result<std::optional<ports::StoredState>> stored);
  void read_entries(const model::ConversationId& id, model::UserId user, const fold::Lookups& needed,
                    LookedUp done);
  // On the read pool.
  base::Result<std::vector<fold::KeyedEntry>> find_entries(const model::ConversationId& id,
                                                           model::UserId user,
                                                           const std::optional<model::ClientId>& wanted);
  // Lets the oldest clean ones go until there is room. False: there is none.
  bool make_room();
  void forget(Conversation& conversation);
  bool may_leave(const Conversation& conversation) const;

  Parts parts_;
  std::unordered_map<model::ConversationId, std::unique_ptr<Conversation>> all_;
  std::list<Conversation*> by_age_;  // used last at the end
  std::set<uint64_t> lists_;         // under way, by the epoch in which they began
  uint64_t epoch_ = 0;               // of the newest list
  base::GaugePart loads_in_flight_;
  base::Gauge& states_;
  base::Counter& loads_;
  base::Counter& evictions_;
  base::Counter& look_ups_;
};

}  // namespace tidings::delivery
