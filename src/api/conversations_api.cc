#include "api/conversations_api.h"

#include "api/answers.h"
#include "api/parameters.h"
#include "wire/frame_words.h"

namespace tidings::api {

using model::ConversationKind;
using wire::Code;

namespace {

constexpr model::ConversationId last_conversation = [] {
  model::ConversationId id;
  id.bytes.fill(0xff);
  return id;
}();

std::optional<model::History> history_of(wire::Fields& body) {
  const auto word = body.optional_text("history");
  if (!word) return std::nullopt;
  const auto history = wire::history_named(*word);
  if (!history) body.complain("history", "is neither joining nor all");
  return history;
}

void create_conversation(const Api::Parts& parts, const CallPtr& call) {
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  const auto kind_word = body->text("kind");
  const auto kind = wire::conversation_kind_named(kind_word);
  wire::ConversationCreate create;
  create.members = users_of(*body, "members");
  create.title = body->optional_text("title").value_or("");
  create.history = history_of(*body).value_or(create.history);
  if (!body->ok()) return call->refuse({Code::bad_request, body->complaint()});
  if (kind != ConversationKind::direct && kind != ConversationKind::group) {
    return call->refuse({Code::unsupported, "This kind of conversation is unknown."});
  }
  create.kind = *kind;
  const auto client_id = client_id_of(parts, call);
  if (!client_id) return;
  create.client_id = *client_id;
  parts.gateway.command(call->who(), std::move(create), answer_with(call, Outcome::created));
}

void list_conversations(const Api::Parts& parts, const CallPtr& call) {
  const auto limit = limit_of(call, parts.limits.sync_rows_max);
  if (!limit) return;
  model::ConversationId from;
  if (const auto cursor = net::query_value(call->request().query, "cursor")) {
    const auto uuid = model::parse_uuid(*cursor);
    if (!uuid) return call->refuse({Code::bad_request, "This is no cursor of this list."});
    from.bytes = *uuid;
  }
  parts.gateway.list(call->who().user, from, last_conversation, std::nullopt, *limit,
                     [call](wire::Answer<ports::SyncRows> rows) {
                       if (!rows) return call->refuse(rows.error());
                       std::string out;
                       wire::JsonWriter json(out);
                       json.begin_object();
                       write_conversations(json, rows->rows);
                       if (rows->next) json.key("next_cursor").string(model::to_text(*rows->next));
                       json.end_object();
                       call->answer(200, std::move(out));
                     });
}

void show_conversation(const Api::Parts& parts, const CallPtr& call) {
  const auto conversation = conversation_of(call);
  if (!conversation) return;
  parts.gateway.list(call->who().user, *conversation, *conversation, std::nullopt, 1,
                     [call](wire::Answer<ports::SyncRows> rows) {
                       if (!rows) return call->refuse(rows.error());
                       if (rows->rows.empty()) return call->refuse({Code::not_found, ""});
                       std::string out;
                       wire::JsonWriter json(out);
                       write_conversation(json, rows->rows.front());
                       call->answer(200, std::move(out));
                     });
}

void update_conversation(const Api::Parts& parts, const CallPtr& call) {
  const auto conversation = conversation_of(call);
  if (!conversation) return;
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  wire::ConversationUpdate update;
  update.conversation = *conversation;
  update.title = body->optional_text("title");
  update.history = history_of(*body);
  if (!body->ok()) return call->refuse({Code::bad_request, body->complaint()});
  const auto client_id = client_id_of(parts, call);
  if (!client_id) return;
  update.client_id = *client_id;
  parts.gateway.command(call->who(), std::move(update), answer_with(call, Outcome::changed));
}

void leave_conversation(const Api::Parts& parts, const CallPtr& call) {
  const auto conversation = conversation_of(call);
  if (!conversation) return;
  const auto client_id = client_id_of(parts, call);
  if (!client_id) return;
  parts.gateway.command(call->who(), wire::ConversationLeave{0, *conversation, *client_id},
                        answer_with(call, Outcome::changed));
}

}  // namespace

void add_conversation_routes(Router& router, const Api::Parts& parts) {
  const auto* p = &parts;
  const auto add = [&](std::string method, std::string pattern,
                       void (*handle)(const Api::Parts&, const CallPtr&)) {
    router.add(std::move(method), std::move(pattern), Login::needed,
               [p, handle](const CallPtr& call) { handle(*p, call); });
  };
  add("POST", "/v1/conversations", create_conversation);
  add("GET", "/v1/conversations", list_conversations);
  add("GET", "/v1/conversations/{}", show_conversation);
  add("PATCH", "/v1/conversations/{}", update_conversation);
  add("POST", "/v1/conversations/{}/leave", leave_conversation);
}

}  // namespace tidings::api
