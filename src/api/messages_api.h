// POST and GET /v1/conversations/{c}/messages, POST /v1/conversations/{c}/read,
// GET /v1/conversations/{c}/messages/{id}/reads.
#pragma once

#include <memory>

#include "api/api.h"

namespace tidings::api {

// `parts` outlives the router; `alive` expires with it.
void add_message_routes(Router& router, const Api::Parts& parts, std::weak_ptr<bool> alive);

}  // namespace tidings::api
