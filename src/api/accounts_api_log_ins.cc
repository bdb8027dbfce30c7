#include "api/accounts_api_log_ins.h"

#include "api/time_text.h"
#include "wire/json_writer.h"

namespace tidings::api {

using account::DeviceInfo;
using account::IssuedToken;
using wire::Code;

namespace {

account::Callback<IssuedToken> answer_with_tokens(const CallPtr& call, int status) {
  return [call, status](wire::Answer<IssuedToken> issued) {
    if (!issued) return call->refuse(issued.error());
    std::string out;
    wire::JsonWriter json(out);
    json.begin_object().key("token").string(issued->token);
    json.key("user").string(model::to_text(issued->identity.user));
    json.key("device").string(model::to_text(issued->identity.device));
    json.key("expires").string(time_text(issued->expires));
    json.key("refresh").string(issued->refresh);
    json.key("refresh_expires").string(time_text(issued->refresh_expires)).end_object();
    call->answer(status, std::move(out));
  };
}

account::Callback<void> answer_done(const CallPtr& call) {
  return [call](wire::Answer<void> done) {
    if (!done) return call->refuse(done.error());
    call->answer_empty(204);
  };
}

void log_in(const Api::Parts& parts, const CallPtr& call) {
  if (!call->admit(parts.gateway.rates().log_in(call->request().peer, parts.clock.monotonic()))) return;
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  std::string handle(body->text("handle")), password(body->text("password"));
  std::string device_name(body->optional_text("device_name").value_or(""));
  if (!body->ok()) return call->refuse({Code::bad_request, body->complaint()});
  parts.accounts.log_in(std::move(handle), std::move(password), std::move(device_name), parts.executor,
                        answer_with_tokens(call, 201), call->request().peer);
}

void refresh(const Api::Parts& parts, const CallPtr& call) {
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  std::string token(body->text("refresh"));
  if (!body->ok()) return call->refuse({Code::bad_request, body->complaint()});
  parts.accounts.refresh(std::move(token), parts.executor, answer_with_tokens(call, 200));
}

void log_out(const Api::Parts& parts, const CallPtr& call) {
  parts.accounts.log_out(call->token(), parts.executor, answer_done(call));
}

void list_devices(const Api::Parts& parts, const CallPtr& call) {
  parts.accounts.list_devices(
      call->who().user, parts.executor, [call](wire::Answer<std::vector<DeviceInfo>> devices) {
        if (!devices) return call->refuse(devices.error());
        std::string out;
        wire::JsonWriter json(out);
        json.begin_object().key("devices").begin_array();
        for (const auto& device : *devices) {
          json.begin_object().key("device").string(model::to_text(device.device));
          json.key("name").string(device.name).key("created").string(time_text(device.created));
          json.key("seen").string(time_text(device.seen));
          json.key("current").boolean(device.device == call->who().device).end_object();
        }
        json.end_array().end_object();
        call->answer(200, std::move(out));
      });
}

// nullopt: refused, as a device of somebody else is.
std::optional<model::DeviceId> device_of(const CallPtr& call) {
  if (const auto id = model::parse_decimal(call->parameter(0))) return model::DeviceId{*id};
  call->refuse({Code::not_found, ""});
  return std::nullopt;
}

void rename_device(const Api::Parts& parts, const CallPtr& call) {
  const auto device = device_of(call);
  if (!device) return;
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  std::string name(body->text("name"));
  if (!body->ok()) return call->refuse({Code::bad_request, body->complaint()});
  parts.accounts.rename_device(call->who().user, *device, std::move(name), parts.executor, answer_done(call));
}

void remove_device(const Api::Parts& parts, const CallPtr& call) {
  if (const auto device = device_of(call)) {
    parts.accounts.remove_device(call->who().user, *device, parts.executor, answer_done(call));
  }
}

void change_password(const Api::Parts& parts, const CallPtr& call) {
  if (!call->admit(parts.gateway.rates().log_in(call->request().peer, parts.clock.monotonic()))) return;
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  std::string old_password(body->text("old")), new_password(body->text("new"));
  if (!body->ok()) return call->refuse({Code::bad_request, body->complaint()});
  parts.accounts.change_password(call->who(), std::move(old_password), std::move(new_password),
                                 parts.executor, answer_done(call));
}

}  // namespace

void add_log_in_routes(Router& router, const Api::Parts& parts) {
  const auto* p = &parts;
  router.add("POST", "/v1/tokens", Login::not_needed, [p](const CallPtr& call) { log_in(*p, call); });
  router.add("DELETE", "/v1/tokens", Login::token_only, [p](const CallPtr& call) { log_out(*p, call); });
  router.add("POST", "/v1/tokens/refresh", Login::not_needed,
             [p](const CallPtr& call) { refresh(*p, call); });
  router.add("GET", "/v1/devices", Login::needed, [p](const CallPtr& call) { list_devices(*p, call); });
  router.add("PATCH", "/v1/devices/{}", Login::needed, [p](const CallPtr& call) { rename_device(*p, call); });
  router.add("DELETE", "/v1/devices/{}", Login::needed,
             [p](const CallPtr& call) { remove_device(*p, call); });
  router.add("PUT", "/v1/me/password", Login::needed,
             [p](const CallPtr& call) { change_password(*p, call); });
}

}  // namespace tidings::api
