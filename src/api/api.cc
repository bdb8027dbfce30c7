#include "api/api.h"

#include "api/accounts_api.h"
#include "api/blocks_api.h"
#include "api/conversations_api.h"
#include "api/health_api.h"
#include "api/members_api.h"
#include "api/messages_api.h"
#include "api/metrics_api.h"
#include "api/poll_api.h"
#include "api/sync_api.h"
#include "base/bytes.h"

namespace tidings::api {

using wire::Code;

namespace {

std::string random_id(ports::Random& random) {
  std::string bytes;
  base::append_key(bytes, random.u64());
  return base::to_hex(bytes);
}

Code code_of(int status) {
  switch (status) {
    case 404:
      return Code::not_found;
    case 413:
    case 431:
      return Code::too_large;
    case 500:
      return Code::internal;
    case 503:
      return Code::busy;
    default:
      return Code::bad_request;
  }
}

}  // namespace

Api::Api(Parts parts)
    : parts_(std::move(parts)),
      own_registry_(parts_.metrics ? nullptr : std::make_unique<base::Registry>()),
      metrics_(parts_.metrics ? *parts_.metrics : *own_registry_) {
  if (!parts_.metrics) parts_.metrics = own_registry_.get();
  add_account_routes(router_, parts_, alive_);
  add_conversation_routes(router_, parts_);
  add_member_routes(router_, parts_, alive_);
  add_message_routes(router_, parts_, alive_);
  add_sync_routes(router_, parts_);
  add_poll_routes(router_, parts_);
  add_block_routes(router_, parts_);
  add_health_routes(router_, parts_);
  add_metrics_routes(router_, parts_);
}

void Api::on_request(net::HttpRequest request, net::HttpReply reply) {
  auto found = router_.find(request.method, request.path);
  const auto call = std::make_shared<Call>(std::move(request), std::move(reply), random_id(parts_.random),
                                           metrics_, alive_);
  if (!call->admit(parts_.gateway.rates().call(call->request().peer, parts_.clock.monotonic()))) return;
  if (!found.route) {
    if (found.allowed.empty()) return call->refuse({Code::not_found, ""});
    return call->refuse({Code::unsupported, "This path has other methods: " + found.allowed + "."}, 405,
                        {{"Allow", found.allowed}});
  }
  call->set_route(found.route->pattern);
  call->set_parameters(std::move(found.parameters));
  if (found.route->login == Login::not_needed) return found.route->handler(call);
  auto token = call->token();
  if (token.empty())
    return call->refuse({Code::unauthenticated, "This needs the header Authorization: Bearer TOKEN."});
  if (found.route->login == Login::token_only) return found.route->handler(call);
  parts_.accounts.authenticate(
      std::move(token), parts_.executor,
      [this, call, route = found.route,
       alive = std::weak_ptr(alive_)](wire::Answer<account::Identity> identity) {
        if (alive.expired()) return;
        if (!identity) return call->refuse(identity.error());
        call->set_who(*identity);
        call->forget_budgets();
        if (!call->admit(parts_.gateway.rates().request(call->who(), parts_.clock.monotonic()))) return;
        route->handler(call);
      });
}

net::HttpResponse Api::refusal(int status, std::string_view detail) {
  const std::string request_id = random_id(parts_.random);
  const wire::Problem problem{code_of(status), std::string(detail)};
  metrics_.refused(problem.code).add();
  auto response = problem_response(problem, request_id, status);
  response.headers.emplace_back("X-Request-Id", request_id);
  return response;
}

}  // namespace tidings::api
