// Which conversations people look at through this gateway, told to the core: when a person's first session
// begins to look at one, and when the last ends.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "gateway/links.h"
#include "gateway/marks.h"

namespace tidings::gateway {

class Focuses {
 public:
  explicit Focuses(Links& links) : links_(links) {}

  void begin(model::UserId user, const model::ConversationId& conversation);
  void end(model::UserId user, const model::ConversationId& conversation);
  // Tells the shards what their full links did not take.
  void settle();
  // The shard has forgotten what it was told; settle() tells it again.
  void link_lost(size_t shard);

 private:
  using Key = MarkKey;
  struct Looked {
    size_t sessions = 0;
    bool told = false;
  };

  void tell(const Key& key);

  Links& links_;
  std::unordered_map<Key, Looked, MarkKeyHash> looked_;
  std::unordered_set<Key, MarkKeyHash> owed_;
};

}  // namespace tidings::gateway
