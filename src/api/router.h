// Which handler answers a method and path: one table, filled by the rooms of api/.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"

namespace tidings::api {

// token_only: there must be a token; the handler finds out whose.
enum class Login { needed, token_only, not_needed };

class Router {
 public:
  using Handler = std::function<void(CallPtr)>;
  struct Route {
    std::string method;
    std::string pattern;  // "/v1/conversations/{}/messages": {} stands for one segment that is not empty
    Login login;
    Handler handler;
  };
  // Either `route` with its parameters, or why not: nobody knows the path (`allowed` is empty), or only other
  // methods.
  struct Found {
    const Route* route = nullptr;
    std::vector<std::string> parameters;
    std::string allowed;  // "GET, POST"
  };

  void add(std::string method, std::string pattern, Login login, Handler handler) {
    routes_.push_back({std::move(method), std::move(pattern), login, std::move(handler)});
  }
  Found find(std::string_view method, std::string_view path) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace tidings::api
