// GET /v1/blocks; GET, PUT and DELETE /v1/blocks/{user}.
#pragma once

#include "api/api.h"

namespace tidings::api {

// `parts` outlives the router.
void add_block_routes(Router& router, const Api::Parts& parts);

}  // namespace tidings::api
