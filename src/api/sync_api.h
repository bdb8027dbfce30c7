// GET /v1/sync, GET /v1/unread.
#pragma once

#include "api/api.h"

namespace tidings::api {

// `parts` outlives the router.
void add_sync_routes(Router& router, const Api::Parts& parts);

}  // namespace tidings::api
