// How much an asker has left, as HTTP says it: RateLimit and RateLimit-Policy
// (draft-ietf-httpapi-ratelimit-headers) and, for older clients, X-RateLimit-*.
#pragma once

#include <vector>

#include "gateway/rates.h"
#include "net/http.h"

namespace tidings::api {

// Of those that are limited; the X- headers are of the one that is nearest to its end.
void add_rate_headers(net::HttpHeaders& headers, const std::vector<gateway::Budget>& budgets);

}  // namespace tidings::api
