// GET and POST /v1/conversations, GET and PATCH /v1/conversations/{c}, POST /v1/conversations/{c}/leave.
#pragma once

#include "api/api.h"

namespace tidings::api {

// `parts` outlives the router.
void add_conversation_routes(Router& router, const Api::Parts& parts);

}  // namespace tidings::api
