// After records of the log are gone, effects that it held may be gone with them, though their events stand in
// the store. A start appends again what a checkpoint does not call durable; a target that has taken an effect
// ignores it (delivery/effects.h). So it is enough to let checkpoints claim less.
#pragma once

#include "base/result.h"
#include "ports/store.h"

namespace tidings::server {

// No checkpoint claims that effects of the newest `age` of the feed are durable. Synced.
base::Status ask_effects_again(ports::Store& store, base::nanoseconds age);

}  // namespace tidings::server
