#include "api/operators.h"

#include <arpa/inet.h>
#include <sodium.h>

#include "api/call.h"

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

net::HttpResponse text(int status, std::string sentence) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(sentence) + "\n"};
}

}  // namespace

bool may_read_metrics(const net::HttpRequest& request, const std::string& token) {
  if (!token.empty() && same(bearer_of(request), token)) return true;
  return is_this_machine(request.peer) && !is_brought(request.headers);
}

void Operators::on_request(net::HttpRequest request, net::HttpReply reply) {
  reply(answer(request));
}

net::HttpResponse Operators::answer(const net::HttpRequest& request) const {
  const bool known = request.path == "/metrics" || request.path == "/livez" || request.path == "/readyz";
  if (!known) return text(404, "Here are /metrics, /livez and /readyz.");
  if (request.method != "GET") {
    auto refused = text(405, "Only GET.");
    refused.headers.emplace_back("Allow", "GET");
    return refused;
  }
  if (request.path == "/livez") return text(200, "live");
  if (request.path == "/readyz")
    return parts_.ready() ? text(200, "ready") : text(503, "Writes are not accepted now.");
  if (!may_read_metrics(request, parts_.metrics_token)) return text(403, "Metrics are for operators.");
  return {200, {{"Content-Type", metrics_type}}, parts_.metrics.exposition()};
}

net::HttpResponse Operators::refusal(int status, std::string_view detail) {
  return text(status, std::string(detail));
}

}  // namespace tidings::api
