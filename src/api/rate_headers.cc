#include "api/rate_headers.h"

#include <chrono>

namespace tidings::api {

namespace {

std::string whole_seconds(base::nanoseconds time) {
  return std::to_string(std::chrono::ceil<base::seconds>(time).count());
}

}  // namespace

void add_rate_headers(net::HttpHeaders& headers, const std::vector<gateway::Budget>& budgets) {
  std::string policies, left;
  const gateway::Budget* nearest = nullptr;
  for (const auto& budget : budgets) {
    if (!budget.rate.limited()) continue;
    const std::string name = (nearest ? ", \"" : "\"") + std::string(budget.policy) + "\"";
    policies +=
        name + ";q=" + std::to_string(budget.rate.burst) + ";w=" + whole_seconds(budget.rate.fill_time());
    left += name + ";r=" + std::to_string(budget.drawn.left) + ";t=" + whole_seconds(budget.drawn.full_in);
    if (!nearest || budget.drawn.left < nearest->drawn.left) nearest = &budget;
  }
  if (!nearest) return;
  headers.emplace_back("RateLimit-Policy", policies);
  headers.emplace_back("RateLimit", left);
  headers.emplace_back("X-RateLimit-Limit", std::to_string(nearest->rate.burst));
  headers.emplace_back("X-RateLimit-Remaining", std::to_string(nearest->drawn.left));
  headers.emplace_back("X-RateLimit-Reset", whole_seconds(nearest->drawn.full_in));
}

}  // namespace tidings::api
