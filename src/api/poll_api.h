// A session over HTTP calls (docs/protocol/rest.md, "Long-poll").
#pragma once

#include "api/api.h"

namespace tidings::api {

void add_poll_routes(Router& router, const Api::Parts& parts);

}  // namespace tidings::api
