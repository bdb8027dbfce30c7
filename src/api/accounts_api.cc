#include "api/accounts_api.h"

#include <algorithm>

#include "api/accounts_api_log_ins.h"
#include "api/time_text.h"
#include "wire/json_writer.h"

namespace tidings::api {

using account::Profile;
using model::UserId;
using wire::Code;

namespace {

constexpr size_t ids_max = 50;

void write_profile(wire::JsonWriter& json, const Profile& profile) {
  json.key("user").string(model::to_text(profile.user)).key("handle").string(profile.handle);
  json.key("display_name").string(profile.display_name);
}

std::string profile_json(const Profile& profile) {
  std::string out;
  wire::JsonWriter json(out);
  json.begin_object();
  write_profile(json, profile);
  json.end_object();
  return out;
}

std::string users_json(const std::vector<Profile>& profiles) {
  std::string out;
  wire::JsonWriter json(out);
  json.begin_object().key("users").begin_array();
  for (const auto& profile : profiles) {
    json.begin_object();
    write_profile(json, profile);
    json.end_object();
  }
  json.end_array().end_object();
  return out;
}

void create_account(const Api::Parts& parts, const CallPtr& call) {
  if (!call->admit(parts.gateway.rates().log_in(call->request().peer, parts.clock.monotonic()))) return;
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  std::string handle(body->text("handle")), password(body->text("password"));
  std::string display_name(body->optional_text("display_name").value_or(handle));
  std::string invite(body->optional_text("invite").value_or(""));
  if (!body->ok()) return call->refuse({Code::bad_request, body->complaint()});
  parts.accounts.register_account(
      std::move(handle), std::move(password), std::move(display_name), parts.executor,
      [call](wire::Answer<Profile> made) {
        if (!made) return call->refuse(made.error());
        call->answer(201, profile_json(*made));
      },
      std::move(invite));
}

void make_invite(const Api::Parts& parts, const CallPtr& call) {
  parts.accounts.make_invite(call->who(), parts.executor, [call](wire::Answer<account::IssuedInvite> issued) {
    if (!issued) return call->refuse(issued.error());
    std::string out;
    wire::JsonWriter json(out);
    json.begin_object().key("invite").string(issued->code);
    json.key("expires").string(time_text(issued->expires)).end_object();
    call->answer(201, std::move(out));
  });
}

void answer_me(const CallPtr& call, const Profile& profile) {
  std::string out;
  wire::JsonWriter json(out);
  json.begin_object();
  write_profile(json, profile);
  json.key("device").string(model::to_text(call->who().device)).end_object();
  call->answer(200, std::move(out));
}

void show_me(const Api::Parts& parts, const CallPtr& call) {
  parts.accounts.find_by_ids({call->who().user}, parts.executor,
                             [call](wire::Answer<std::vector<Profile>> found) {
                               if (!found) return call->refuse(found.error());
                               if (found->empty()) return call->refuse({Code::not_found, ""});
                               answer_me(call, found->front());
                             });
}

void change_me(const Api::Parts& parts, const CallPtr& call) {
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  std::string display_name(body->text("display_name"));
  if (!body->ok()) return call->refuse({Code::bad_request, body->complaint()});
  parts.accounts.set_display_name(call->who().user, std::move(display_name), parts.executor,
                                  [call](wire::Answer<Profile> changed) {
                                    if (!changed) return call->refuse(changed.error());
                                    answer_me(call, *changed);
                                  });
}

void answer_users(const Api::Parts& parts, const CallPtr& call, std::vector<UserId> users) {
  if (users.empty()) return call->answer(200, users_json({}));
  parts.accounts.find_by_ids(users, parts.executor, [call, users](wire::Answer<std::vector<Profile>> found) {
    if (!found) return call->refuse(found.error());
    // In the order in which they were asked for.
    std::ranges::sort(*found, {},
                      [&](const Profile& p) { return std::ranges::find(users, p.user) - users.begin(); });
    call->answer(200, users_json(*found));
  });
}

// "1,2,3"; nullopt if it is anything else. Everybody once.
std::optional<std::vector<UserId>> parse_ids(std::string_view text) {
  std::vector<UserId> users;
  while (true) {
    const size_t comma = text.find(',');
    const auto id = model::parse_decimal(text.substr(0, comma));
    if (!id) return std::nullopt;
    if (std::ranges::find(users, UserId{*id}) == users.end()) users.push_back({*id});
    if (comma == text.npos) return users;
    text.remove_prefix(comma + 1);
  }
}

// Who of `users` may be shown to the asker, one answer of the core after another.
struct Acquaintances {
  const Api::Parts& parts;
  CallPtr call;
  std::weak_ptr<bool> alive;
  std::vector<UserId> users;
  std::vector<bool> known;
  size_t awaited = 1;

  void settled() {
    if (--awaited > 0) return;
    std::vector<UserId> shown;
    for (size_t i = 0; i < users.size(); ++i) {
      if (known[i]) shown.push_back(users[i]);
    }
    answer_users(parts, call, std::move(shown));
  }
};

void find_acquaintances(const Api::Parts& parts, std::weak_ptr<bool> alive, const CallPtr& call,
                        std::vector<UserId> users) {
  const UserId self = call->who().user;
  auto circle =
      std::make_shared<Acquaintances>(Acquaintances{parts, call, std::move(alive), std::move(users), {}});
  circle->known.resize(circle->users.size());
  for (size_t i = 0; i < circle->users.size(); ++i) {
    if (circle->users[i] == self) {
      circle->known[i] = true;
      continue;
    }
    ++circle->awaited;
    parts.gateway.is_member(self, model::direct_conversation(self, circle->users[i]),
                            [circle, i](wire::Answer<bool> member) {
                              if (circle->alive.expired()) return;
                              if (!member) return circle->call->refuse(member.error());
                              circle->known[i] = *member;
                              circle->settled();
                            });
  }
  circle->settled();
}

void find_users(const Api::Parts& parts, std::weak_ptr<bool> alive, const CallPtr& call) {
  const auto handle = net::query_value(call->request().query, "handle");
  const auto ids = net::query_value(call->request().query, "ids");
  if (handle.has_value() == ids.has_value()) {
    return call->refuse({Code::bad_request, "Ask either ?handle= or ?ids=."});
  }
  if (handle) {
    return parts.accounts.find_by_handle(
        *handle, parts.executor, [call](wire::Answer<std::optional<Profile>> found) {
          if (!found) return call->refuse(found.error());
          call->answer(200, users_json(*found ? std::vector{**found} : std::vector<Profile>()));
        });
  }
  auto users = parse_ids(*ids);
  if (!users) return call->refuse({Code::bad_request, "ids are decimal numbers with commas between them."});
  if (users->size() > ids_max) return call->refuse({Code::limit, "At most 50 ids at once."});
  find_acquaintances(parts, std::move(alive), call, std::move(*users));
}

}  // namespace

void add_account_routes(Router& router, const Api::Parts& parts, std::weak_ptr<bool> alive) {
  const auto* p = &parts;
  router.add("POST", "/v1/accounts", Login::not_needed,
             [p](const CallPtr& call) { create_account(*p, call); });
  router.add("POST", "/v1/invites", Login::needed, [p](const CallPtr& call) { make_invite(*p, call); });
  router.add("GET", "/v1/me", Login::needed, [p](const CallPtr& call) { show_me(*p, call); });
  router.add("PATCH", "/v1/me", Login::needed, [p](const CallPtr& call) { change_me(*p, call); });
  router.add("GET", "/v1/users", Login::needed,
             [p, alive](const CallPtr& call) { find_users(*p, alive, call); });
  add_log_in_routes(router, parts);
}

}  // namespace tidings::api
