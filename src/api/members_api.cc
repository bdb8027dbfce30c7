#include "api/members_api.h"

#include <unordered_map>

#include "api/answers.h"
#include "api/parameters.h"
#include "wire/frame_words.h"

namespace tidings::api {

using account::Profile;
using wire::Code;

namespace {

constexpr size_t members_page_max = 200;

void answer_members(const CallPtr& call, const ports::Members& members,
                    const std::vector<Profile>& profiles) {
  std::unordered_map<model::UserId, const Profile*> by_user;
  for (const auto& profile : profiles) by_user[profile.user] = &profile;
  std::string out;
  wire::JsonWriter json(out);
  json.begin_object().key("members").begin_array();
  for (const auto& row : members.rows) {
    json.begin_object().key("user").string(model::to_text(row.user)).key("role").string(wire::word(row.role));
    const auto known = by_user.find(row.user);
    json.key("handle").string(known == by_user.end() ? "" : known->second->handle);
    json.key("display_name").string(known == by_user.end() ? "" : known->second->display_name).end_object();
  }
  json.end_array().key("count").number(members.count);
  if (members.more && !members.rows.empty()) {
    json.key("next_cursor").string(model::to_text(members.rows.back().user));
  }
  json.end_object();
  call->answer(200, std::move(out));
}

void list_members(const Api::Parts& parts, const std::weak_ptr<bool>& alive, const CallPtr& call) {
  const auto conversation = conversation_of(call);
  if (!conversation) return;
  const auto limit = limit_of(call, members_page_max);
  if (!limit) return;
  model::UserId after;
  if (const auto cursor = net::query_value(call->request().query, "cursor")) {
    const auto user = model::parse_decimal(*cursor);
    if (!user) return call->refuse({Code::bad_request, "This is no cursor of this list."});
    after = {*user};
  }
  parts.gateway.members(call->who().user, *conversation, after, *limit,
                        [p = &parts, alive, call](wire::Answer<ports::Members> members) {
                          if (!members) return call->refuse(members.error());
                          if (alive.expired()) return call->refuse({Code::draining, ""});
                          std::vector<model::UserId> users;
                          for (const auto& row : members->rows) users.push_back(row.user);
                          p->accounts.find_by_ids(std::move(users), p->executor,
                                                  [call, members = std::move(*members)](
                                                      wire::Answer<std::vector<Profile>> profiles) {
                                                    if (!profiles) return call->refuse(profiles.error());
                                                    answer_members(call, members, *profiles);
                                                  });
                        });
}

void add_members(const Api::Parts& parts, const CallPtr& call) {
  const auto conversation = conversation_of(call);
  if (!conversation) return;
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  auto users = users_of(*body, "users");
  if (!body->ok()) return call->refuse({Code::bad_request, body->complaint()});
  const auto client_id = client_id_of(parts, call);
  if (!client_id) return;
  parts.gateway.command(call->who(), wire::MemberAdd{0, *conversation, *client_id, std::move(users)},
                        answer_with(call, Outcome::changed));
}

void remove_member(const Api::Parts& parts, const CallPtr& call) {
  const auto conversation = conversation_of(call);
  if (!conversation) return;
  const auto user = user_of(call, 1);
  if (!user) return;
  const auto client_id = client_id_of(parts, call);
  if (!client_id) return;
  const auto done = answer_with(call, Outcome::changed);
  if (*user == call->who().user) {
    return parts.gateway.command(call->who(), wire::ConversationLeave{0, *conversation, *client_id}, done);
  }
  parts.gateway.command(call->who(), wire::MemberRemove{0, *conversation, *client_id, *user}, done);
}

void set_role(const Api::Parts& parts, const CallPtr& call) {
  const auto conversation = conversation_of(call);
  if (!conversation) return;
  const auto user = user_of(call, 1);
  if (!user) return;
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  const auto role = wire::role_named(body->text("role"));
  if (body->ok() && !role) body->complain("role", "is neither member, admin nor owner");
  if (!body->ok()) return call->refuse({Code::bad_request, body->complaint()});
  const auto client_id = client_id_of(parts, call);
  if (!client_id) return;
  parts.gateway.command(call->who(), wire::MemberRole{0, *conversation, *client_id, *user, *role},
                        answer_with(call, Outcome::changed));
}

}  // namespace

void add_member_routes(Router& router, const Api::Parts& parts, std::weak_ptr<bool> alive) {
  const auto* p = &parts;
  router.add("GET", "/v1/conversations/{}/members", Login::needed,
             [p, alive](const CallPtr& call) { list_members(*p, alive, call); });
  router.add("POST", "/v1/conversations/{}/members", Login::needed,
             [p](const CallPtr& call) { add_members(*p, call); });
  router.add("PATCH", "/v1/conversations/{}/members/{}", Login::needed,
             [p](const CallPtr& call) { set_role(*p, call); });
  router.add("DELETE", "/v1/conversations/{}/members/{}", Login::needed,
             [p](const CallPtr& call) { remove_member(*p, call); });
}

}  // namespace tidings::api
