// GET /metrics, for who runs the server.
#pragma once

#include "api/api.h"

namespace tidings::api {

// `parts` outlives the router.
void add_metrics_routes(Router& router, const Api::Parts& parts);

}  // namespace tidings::api
