#include "api/metrics_api.h"

#include <arpa/inet.h>
#include <sodium.h>

namespace tidings::api {

namespace {

bool is_this_machine(const std::string& address) {
  in_addr four{};
  if (::inet_pton(AF_INET, address.c_str(), &four) == 1) return address.starts_with("127.");
  return address == "::1";
}

// A proxy on this machine brings others from here.
bool is_brought(const net::HttpHeaders& headers) {
  for (const char* name : {"Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"}) {
    if (net::find_header(headers, name)) return true;
  }
  return false;
}

bool same(const std::string& a, const std::string& b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool may_read(const Call& call, const std::string& token) {
  if (!token.empty() && same(call.token(), token)) return true;
  return is_this_machine(call.request().peer) && !is_brought(call.request().headers);
}

}  // namespace

void add_metrics_routes(Router& router, const Api::Parts& parts) {
  const auto* p = &parts;
  router.add("GET", "/metrics", Login::not_needed, [p](const CallPtr& call) {
    if (!may_read(*call, p->metrics_token)) return call->refuse({wire::Code::forbidden, ""});
    call->answer_text("text/plain; version=0.0.4; charset=utf-8", p->metrics->exposition());
  });
}

}  // namespace tidings::api
