#include "gateway/focuses.h"

namespace tidings::gateway {

void Focuses::begin(model::UserId user, const model::ConversationId& conversation) {
  ++looked_[{user, conversation}].sessions;
  tell({user, conversation});
}

void Focuses::end(model::UserId user, const model::ConversationId& conversation) {
  const auto found = looked_.find({user, conversation});
  if (found == looked_.end()) return;
  --found->second.sessions;
  tell({user, conversation});
}

void Focuses::tell(const Key& key) {
  const auto found = looked_.find(key);
  if (found == looked_.end()) return;
  auto& looked = found->second;
  const bool looks = looked.sessions > 0;
  if (looked.told != looks) {
    if (!links_.send(key.conversation, ports::Focus{key.user, key.conversation, looks})) {
      owed_.insert(key);
      return;
    }
    looked.told = looks;
  }
  owed_.erase(key);
  if (!looks) looked_.erase(found);
}

void Focuses::link_lost(size_t shard) {
  for (auto it = looked_.begin(); it != looked_.end();) {
    auto& [key, looked] = *it;
    const bool theirs = links_.shard_of(key.conversation) == shard;
    if (theirs) looked.told = false;
    if (theirs && looked.sessions > 0) owed_.insert(key);
    if (theirs && looked.sessions == 0) owed_.erase(key);
    it = theirs && looked.sessions == 0 ? looked_.erase(it) : std::next(it);
  }
}

void Focuses::settle() {
  const auto owed = owed_;
  for (const auto& key : owed) tell(key);
}

}  // namespace tidings::gateway
