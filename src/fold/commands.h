// What a person's command may do to a conversation, and does: who may, what follows, whose marks start where
// (protocol.md §7, §8; docs/design/people.md).
#pragma once

#include "fold/fold.h"

namespace tidings::fold {

enum class Verdict : uint8_t {
  accept,
  nothing,  // allowed, and all is so already: answered ok without an event
};

// `m` is who sends it, member now or before; nullptr only for a create and for the first command of a
// person's own log. Refusals are codes. Nothing is changed.
wire::Answer<Verdict> check(const ConversationState& c, const Member* m, const model::Command& command);

// The ids are right and the lists well formed: whatever the state, no other create or own command is taken.
bool well_formed(const model::Command& command);

// Applies an accepted command to members and settings; seq and ord of the state are the event's already. What
// it carries moves into the event's body.
decltype(model::Event::body) change(ConversationState& c, model::Command& command);

// Somebody becomes a member with the event at the state's head: may read from there on, or all.
void join(ConversationState& c, model::UserId user, model::Role role);

}  // namespace tidings::fold
