// GET and POST /v1/conversations/{c}/members, PATCH and DELETE /v1/conversations/{c}/members/{user}.
#pragma once

#include <memory>

#include "api/api.h"

namespace tidings::api {

// `parts` outlives the router; `alive` expires with it.
void add_member_routes(Router& router, const Api::Parts& parts, std::weak_ptr<bool> alive);

}  // namespace tidings::api
