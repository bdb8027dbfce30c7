// POST /v1/conversations, POST and GET /v1/conversations/{c}/messages.
#pragma once

#include "api/api.h"

namespace tidings::api {

// `parts` outlives the router.
void add_conversation_routes(Router& router, const Api::Parts& parts);

}  // namespace tidings::api
