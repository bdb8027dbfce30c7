// GET /livez (the loop turns), /readyz (writes are accepted), /v1/version.
#pragma once

#include "api/api.h"

namespace tidings::api {

// `parts` outlives the router.
void add_health_routes(Router& router, const Api::Parts& parts);

}  // namespace tidings::api
