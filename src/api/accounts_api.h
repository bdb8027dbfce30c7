// POST /v1/accounts, POST /v1/invites, GET and PATCH /v1/me, GET /v1/users.
#pragma once

#include <memory>

#include "api/api.h"

namespace tidings::api {

// `parts` outlives the router; `alive` expires with it.
void add_account_routes(Router& router, const Api::Parts& parts, std::weak_ptr<bool> alive);

}  // namespace tidings::api
