#include "api/blocks_api.h"

#include <algorithm>

#include "api/answers.h"
#include "api/parameters.h"

namespace tidings::api {

using wire::Code;

namespace {

void list_blocks(const Api::Parts& parts, const CallPtr& call) {
  parts.gateway.blocks(call->who().user, [call](wire::Answer<std::vector<model::UserId>> users) {
    if (!users) return call->refuse(users.error());
    std::string out;
    wire::JsonWriter json(out);
    json.begin_object().key("users").begin_array();
    for (const auto user : *users) json.string(model::to_text(user));
    json.end_array().end_object();
    call->answer(200, std::move(out));
  });
}

void show_block(const Api::Parts& parts, const CallPtr& call) {
  const auto user = user_of(call, 0);
  if (!user) return;
  parts.gateway.blocks(call->who().user,
                       [call, user = *user](wire::Answer<std::vector<model::UserId>> users) {
                         if (!users) return call->refuse(users.error());
                         if (std::ranges::find(*users, user) == users->end())
                           return call->refuse({Code::not_found, ""});
                         std::string out;
                         wire::JsonWriter json(out);
                         json.begin_object().key("user").string(model::to_text(user)).end_object();
                         call->answer(200, std::move(out));
                       });
}

void set_block(const Api::Parts& parts, const CallPtr& call, bool blocked) {
  const auto user = user_of(call, 0);
  if (!user) return;
  const auto client_id = client_id_of(parts, call);
  if (!client_id) return;
  parts.gateway.command(call->who(), wire::BlockFrame{0, *client_id, *user, blocked},
                        answer_empty_with(call));
}

}  // namespace

void add_block_routes(Router& router, const Api::Parts& parts) {
  const auto* p = &parts;
  router.add("GET", "/v1/blocks", Login::needed, [p](const CallPtr& call) { list_blocks(*p, call); });
  router.add("GET", "/v1/blocks/{}", Login::needed, [p](const CallPtr& call) { show_block(*p, call); });
  router.add("PUT", "/v1/blocks/{}", Login::needed, [p](const CallPtr& call) { set_block(*p, call, true); });
  router.add("DELETE", "/v1/blocks/{}", Login::needed,
             [p](const CallPtr& call) { set_block(*p, call, false); });
}

}  // namespace tidings::api
