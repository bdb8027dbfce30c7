#include "api/router.h"

#include <optional>

namespace tidings::api {

namespace {

std::string_view first_segment(std::string_view path) {
  return path.substr(0, path.find('/', 1));
}

std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  std::vector<std::string> parameters;
  while (!pattern.empty() && !path.empty()) {
    const auto want = first_segment(pattern), have = first_segment(path);
    if (want == "/{}" && have.size() > 1) {
      parameters.emplace_back(have.substr(1));
    } else if (want != have) {
      return std::nullopt;
    }
    pattern.remove_prefix(want.size());
    path.remove_prefix(have.size());
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return parameters;
}

}  // namespace

Router::Found Router::find(std::string_view method, std::string_view path) const {
  Found found;
  for (const auto& route : routes_) {
    auto parameters = match(route.pattern, path);
    if (!parameters) continue;
    if (route.method == method) return {&route, std::move(*parameters), ""};
    if (!found.allowed.empty()) found.allowed += ", ";
    found.allowed += route.method;
  }
  return found;
}

}  // namespace tidings::api
