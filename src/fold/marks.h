// How watermarks move (protocol.md §8): only upwards, never beyond the head.
#pragma once

#include "fold/fold.h"

namespace tidings::fold {

// A MARK. nullopt: nothing moved, nothing has changed.
std::optional<Moved> move_marks(ConversationState& c, const model::Marking& marking);

// The own marks after a countable event of one's own, now at the state's head.
void mark_own(ConversationState& c, Member& m, bool nothing_was_unread);

}  // namespace tidings::fold
