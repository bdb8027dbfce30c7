// The conversations in a shard's memory, and how they get there: loaded on the read pool, while only they
// wait.
#pragma once

#include <functional>
#include <memory>
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
    std::function<void(std::string)> fatal;
    std::function<void(Conversation&)> ready;  // a load or look-up ended; its queue may go on
  };
  explicit Conversations(Parts parts);

  Conversation* find(const model::ConversationId& id);
  // The conversation, which begins to load if it is not in memory. For what is in the log already.
  Conversation& must_get(const model::ConversationId& id);
  // The same for what may be refused: nullptr if states_max or loads_in_flight_max is reached.
  Conversation* try_get(const model::ConversationId& id);
  bool load_would_wait(const model::ConversationId& id) const;

  // Reads the entries that the front of the queue needs; then `done`, here. The conversation is `looking_up`
  // till then.
  void look_up(Conversation& conversation, model::UserId user, const fold::Lookups& needed,
               std::function<void(Conversation&, fold::Found)> done);

  // Forgets it if nothing is lost by that.
  void drop_if_empty(Conversation& conversation);

  template <class F>
  void for_each(F f) {
    for (auto& [id, c] : all_) f(*c);
  }

 private:
  void load(Conversation& conversation);
  void loaded(const model::ConversationId& id, base::Result<std::optional<base::Bytes>> bytes);

  Parts parts_;
  std::unordered_map<model::ConversationId, std::unique_ptr<Conversation>> all_;
  size_t loads_in_flight_ = 0;
  base::Gauge& states_;
  base::Counter& loads_;
  base::Counter& look_ups_;
};

}  // namespace tidings::delivery
