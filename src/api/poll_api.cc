#include "api/poll_api.h"

namespace tidings::api {

namespace {

void poll(const Api::Parts& parts, const CallPtr& call) {
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  gateway::Gateway::PollCall asked;
  asked.token = call->token();
  asked.peer = call->request().peer;
  asked.session = body->optional_text("session");
  asked.resume = body->optional_text("resume");
  asked.received = body->optional_number("received");
  if (const auto frames = body->optional_array("frames")) asked.frames = simdjson::minify(*frames);
  if (!body->ok()) return call->refuse({wire::Code::bad_request, body->complaint()});
  parts.gateway.poll(call->who(), std::move(asked), [call](const wire::Answer<std::string>& frames) {
    if (!frames) return call->refuse(frames.error());
    call->answer(200, R"({"frames":)" + *frames + "}");
  });
}

}  // namespace

void add_poll_routes(Router& router, const Api::Parts& parts) {
  const auto* p = &parts;
  router.add("POST", "/v1/poll", Login::needed, [p](const CallPtr& call) { poll(*p, call); });
}

}  // namespace tidings::api
