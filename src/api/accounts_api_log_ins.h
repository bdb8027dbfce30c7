// POST and DELETE /v1/tokens, POST /v1/tokens/refresh, /v1/devices, PUT /v1/me/password.
#pragma once

#include "api/api.h"

namespace tidings::api {

// `parts` outlives the router.
void add_log_in_routes(Router& router, const Api::Parts& parts);

}  // namespace tidings::api
