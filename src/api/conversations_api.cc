#include "api/conversations_api.h"

#include <algorithm>

#include "api/time_text.h"
#include "wire/frame_words.h"
#include "wire/frames.h"
#include "wire/json_writer.h"
#include "wire/page_json.h"

namespace tidings::api {

using gateway::SendAnswer;
using model::ClientId;
using wire::Code;

namespace {

constexpr size_t idempotency_key_bytes_max = 255;

// The client id of a mutation: its Idempotency-Key, or a new one, told in the answer. nullopt: the key is
// refused.
std::optional<ClientId> client_id_of(const Api::Parts& parts, const CallPtr& call) {
  const auto* key = net::find_header(call->request().headers, "Idempotency-Key");
  if (!key) {
    const uint64_t high = parts.random.u64();
    return ClientId{model::uuid_v7(parts.clock.wall(), high, parts.random.u64())};
  }
  if (key->empty() || key->size() > idempotency_key_bytes_max) {
    call->refuse({Code::bad_request, "An Idempotency-Key has 1 to 255 bytes."});
    return std::nullopt;
  }
  if (const auto uuid = model::parse_uuid(*key)) return ClientId{*uuid};
  return ClientId{model::uuid_v8(*key)};
}

std::optional<model::ConversationId> conversation_of(const CallPtr& call) {
  const auto uuid = model::parse_uuid(call->parameter(0));
  if (uuid) return model::ConversationId{*uuid};
  call->refuse({Code::not_found, ""});
  return std::nullopt;
}

std::function<void(wire::Answer<SendAnswer>)> answer_with(const CallPtr& call, bool with_time) {
  return [call, with_time](wire::Answer<SendAnswer> made) {
    if (!made) return call->refuse(made.error());
    std::string out;
    wire::JsonWriter json(out);
    json.begin_object().key("conversation").string(model::to_text(made->conversation));
    json.key("seq").number(made->seq.value).key("ord").number(made->ord.value);
    json.key("id").string(model::to_text(made->id));
    if (with_time) json.key("time").string(time_text(made->time));
    json.key("client_id").string(model::to_text(made->client_id));
    if (made->duplicate) json.key("duplicate").boolean(true);
    json.end_object();
    call->answer(made->duplicate ? 200 : 201, std::move(out));
  };
}

void create_conversation(const Api::Parts& parts, const CallPtr& call) {
  auto body = call->body(parts.limits.json_depth_max);
  if (!body) return;
  const std::string kind(body->text("kind"));
  std::vector<model::UserId> members;
  if (const auto array = body->array("members")) {
    for (const wire::JsonValue value : *array) {
      const auto user = wire::decimal_of<model::UserId>(value);
      if (!user) body->complain("members", "has something that is not a person's id");
      members.push_back(user.value_or(model::UserId{}));
    }
  }
  if (!body->ok()) return call->refuse({Code::bad_request, body->complaint()});
  if (!wire::conversation_kind_named(kind)) {
    return call->refuse({Code::unsupported, "This kind of conversation is unknown."});
  }
  std::erase(members, call->who().user);
  if (members.size() != 1) return call->refuse({Code::bad_request, "A direct conversation has two people."});
  const auto client_id = client_id_of(parts, call);
  if (!client_id) return;
  parts.gateway.create_direct(call->who(), members.front(), *client_id, answer_with(call, false));
}

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
  parts.gateway.send_message(call->who(), *conversation, *client_id, std::move(message),
                             answer_with(call, true));
}

// The query's number in min..max, else `otherwise` if it is not there; nullopt: it is refused.
std::optional<uint64_t> query_number(const CallPtr& call, std::string_view name, uint64_t min,
                                     uint64_t otherwise) {
  const auto text = net::query_value(call->request().query, name);
  if (!text) return otherwise;
  const auto number = model::parse_decimal(*text);
  if (number && *number >= min && *number < wire::json_number_end) return number;
  call->refuse({Code::bad_request, std::string(name) + " is not a whole number in its range."});
  return std::nullopt;
}

void read_messages(const Api::Parts& parts, const CallPtr& call) {
  const auto conversation = conversation_of(call);
  if (!conversation) return;
  const auto after = query_number(call, "after", 0, 0);
  if (!after) return;
  const uint64_t limit_max = parts.limits.page_events_max;
  const auto limit = query_number(call, "limit", 1, limit_max);
  if (!limit) return;
  parts.gateway.read_messages(call->who(), *conversation, {*after}, std::min(*limit, limit_max),
                              [call](wire::Answer<ports::Page> page) {
                                if (!page) return call->refuse(page.error());
                                wire::PageFrame frame;
                                frame.conversation = page->conversation;
                                frame.holes = std::move(page->holes);
                                frame.upto = page->upto;
                                frame.head = page->head;
                                frame.asof = page->asof;
                                frame.more = page->more;
                                frame.marks = std::move(page->marks);
                                frame.mark_count = page->mark_count;
                                std::string out;
                                wire::JsonWriter json(out);
                                json.begin_object();
                                wire::write_page(json, frame, page->events);
                                json.end_object();
                                call->answer(200, std::move(out));
                              });
}

}  // namespace

void add_conversation_routes(Router& router, const Api::Parts& parts) {
  const auto* p = &parts;
  router.add("POST", "/v1/conversations", Login::needed,
             [p](const CallPtr& call) { create_conversation(*p, call); });
  router.add("POST", "/v1/conversations/{}/messages", Login::needed,
             [p](const CallPtr& call) { send_message(*p, call); });
  router.add("GET", "/v1/conversations/{}/messages", Login::needed,
             [p](const CallPtr& call) { read_messages(*p, call); });
}

}  // namespace tidings::api
