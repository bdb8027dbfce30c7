// What clients ask in frames, as the core is asked.
#pragma once

#include "base/limits.h"
#include "ports/link.h"
#include "wire/frames.h"

namespace tidings::gateway {

// reply_to is left out.
ports::Mark mark_of(const wire::MarkFrame& mark, model::UserId user);
ports::History history_of(const wire::HistoryFrame& history, model::UserId user, uint64_t query,
                          const base::Limits& limits);

}  // namespace tidings::gateway
