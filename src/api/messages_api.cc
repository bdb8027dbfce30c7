#include "api/messages_api.h"

#include "api/answers.h"
#include "api/parameters.h"
#include "api/time_text.h"
#include "wire/frame_words.h"

namespace tidings::api {

using wire::Code;

namespace {

void send_message(const Api::Parts& parts, const CallPtr& call) {
  const auto conversation = conversation_of(call);
  if (!conversation) return;
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  const auto object = body->optional_object("message");
  if (!object) {
    body->complain("message", "is missing");
    return call->refuse({Code::bad_request, body->complaint()});
  }
  wire::Fields fields(*object);
  const auto kind = fields.text("kind");
  if (fields.ok() && !wire::message_kind_named(kind)) {
    return call->refuse({Code::unsupported, "This kind of message is unknown."});
  }
  const auto text = fields.text("text");
  if (!fields.ok()) return call->refuse({Code::bad_request, fields.complaint()});
  model::Message message{*wire::message_kind_named(kind), std::string(text)};
  const auto client_id = client_id_of(parts, call);
  if (!client_id) return;
  call->tell(parts.gateway.rates().sends_after_one(call->who(), parts.clock.monotonic()));
  parts.gateway.send_message(call->who(), *conversation, *client_id, std::move(message),
                             answer_with(call, Outcome::sent));
}

void read_messages(const Api::Parts& parts, const CallPtr& call) {
  const auto conversation = conversation_of(call);
  if (!conversation) return;
  const auto limit = limit_of(call, parts.limits.page_events_max);
  if (!limit) return;
  std::optional<wire::HistoryFrame> history;
  size_t places = 0;
  for (const auto place :
       {wire::HistoryPlace::before, wire::HistoryPlace::after, wire::HistoryPlace::around}) {
    const auto name = wire::word(place);
    if (!net::query_value(call->request().query, name)) continue;
    if (++places > 1) return call->refuse({Code::bad_request, "Ask one of after, before and around."});
    const auto seq = query_number(call, name, 0, 0);
    if (!seq) return;
    history = wire::HistoryFrame{0, *conversation, place, {*seq}, std::nullopt, *limit};
  }
  if (history && history->place != wire::HistoryPlace::after) {
    return parts.gateway.read_history(call->who(), *history, answer_page_with(call));
  }
  parts.gateway.read_messages(call->who(), *conversation, history ? history->seq : model::Seq{}, *limit,
                              answer_page_with(call));
}

void mark_read(const Api::Parts& parts, const CallPtr& call) {
  const auto conversation = conversation_of(call);
  if (!conversation) return;
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  wire::MarkFrame mark;
  mark.conversation = *conversation;
  mark.read = model::Cursor{{body->number("seq")}, body->decimal<model::MessageId>("id")};
  mark.read_ord = {body->number("ord")};
  mark.hidden = body->optional_boolean("private").value_or(false);
  if (!body->ok()) return call->refuse({Code::bad_request, body->complaint()});
  parts.gateway.mark(call->who(), mark, answer_empty_with(call));
}

void write_time(wire::JsonWriter& json, std::string_view name, const std::optional<base::WallTime>& time) {
  if (time) json.key(name).string(time_text(*time));
}

void answer_reads(const CallPtr& call, const model::ConversationId& conversation, const model::Cursor& event,
                  const std::vector<ports::ReadRow>& rows) {
  std::string out;
  wire::JsonWriter json(out);
  json.begin_object().key("conversation").string(model::to_text(conversation));
  json.key("seq").number(event.seq.value).key("id").string(model::to_text(event.id));
  json.key("people").begin_array();
  for (const auto& row : rows) {
    json.begin_object().key("user").string(model::to_text(row.user));
    json.key("delivered").boolean(row.delivered).key("read").boolean(row.read);
    write_time(json, "delivered_at", row.delivered_at);
    write_time(json, "read_at", row.read_at);
    json.end_object();
  }
  json.end_array().end_object();
  call->answer(200, std::move(out));
}

void show_reads(const Api::Parts& parts, const std::weak_ptr<bool>& alive, const CallPtr& call) {
  const auto conversation = conversation_of(call);
  if (!conversation) return;
  const auto id = message_of(call, 1);
  if (!id) return;
  // An id alone does not tell where the event stands.
  const auto seq = query_number(call, "seq", 1, 0);
  if (!seq) return;
  if (*seq == 0) return call->refuse({Code::bad_request, "seq is missing."});
  const model::Cursor event{{*seq}, *id};
  parts.gateway.is_there(
      call->who().user, *conversation, event,
      [p = &parts, alive, call, event, conversation = *conversation](wire::Answer<bool> there) {
        if (!there) return call->refuse(there.error());
        if (!*there) return call->refuse({Code::not_found, ""});
        if (alive.expired()) return call->refuse({Code::draining, ""});
        p->gateway.reads(call->who().user, conversation, event.seq,
                         [call, event, conversation](wire::Answer<std::vector<ports::ReadRow>> rows) {
                           if (!rows) return call->refuse(rows.error());
                           answer_reads(call, conversation, event, *rows);
                         });
      });
}

}  // namespace

void add_message_routes(Router& router, const Api::Parts& parts, std::weak_ptr<bool> alive) {
  const auto* p = &parts;
  router.add("POST", "/v1/conversations/{}/messages", Login::needed,
             [p](const CallPtr& call) { send_message(*p, call); });
  router.add("GET", "/v1/conversations/{}/messages", Login::needed,
             [p](const CallPtr& call) { read_messages(*p, call); });
  router.add("POST", "/v1/conversations/{}/read", Login::needed,
             [p](const CallPtr& call) { mark_read(*p, call); });
  router.add("GET", "/v1/conversations/{}/messages/{}/reads", Login::needed,
             [p, alive](const CallPtr& call) { show_reads(*p, alive, call); });
}

}  // namespace tidings::api
