// What the core answers, as the frames that clients get.
#pragma once

#include "ports/link.h"
#include "wire/frames.h"

namespace tidings::gateway {

// Without events and request.
wire::PageFrame page_frame(const ports::Page& page);
wire::SyncedConversation synced_frame(const ports::SyncRow& row);

}  // namespace tidings::gateway
