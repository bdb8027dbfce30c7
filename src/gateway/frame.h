// The bytes of a frame that goes out, held once for all sessions of a gateway that are told the same: an
// event of a group of a thousand lies in memory once, not a thousand times.
#pragma once

#include "base/shared_bytes.h"

namespace tidings::gateway {

using Frame = base::SharedBytes;

}  // namespace tidings::gateway
