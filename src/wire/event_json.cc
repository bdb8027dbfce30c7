// Events as JSON, both ways.
#include "wire/frame_fields.h"

namespace tidings::wire {
namespace {

using namespace model;

struct Naming {
  std::string_view operator()(const ConversationCreated&) const { return "conversation.created"; }
  std::string_view operator()(const MessageCreated&) const { return "message.created"; }
  std::string_view operator()(const ConversationUpdated&) const { return "conversation.updated"; }
  std::string_view operator()(const MembersAdded&) const { return "member.added"; }
  std::string_view operator()(const MemberRemoved&) const { return "member.removed"; }
  std::string_view operator()(const MemberLeft&) const { return "member.left"; }
  std::string_view operator()(const RoleChanged&) const { return "member.role_changed"; }
  std::string_view operator()(const ConversationListed&) const { return "conversation.listed"; }
  std::string_view operator()(const BlockSet&) const { return "block.set"; }
};

struct WriteBody {
  JsonWriter& json;

  void operator()(const ConversationCreated& body) const {
    json.key("kind").string(word(body.kind));
    write_users(json, "members", body.members);
    json.key("title").string(body.title).key("history").string(word(body.history));
  }
  void operator()(const MessageCreated& body) const {
    json.key("message").begin_object().key("kind").string(word(body.message.kind));
    json.key("text").string(body.message.text).end_object();
  }
  void operator()(const ConversationUpdated& body) const {
    if (body.title) json.key("title").string(*body.title);
    if (body.history) json.key("history").string(word(*body.history));
  }
  void operator()(const MembersAdded& body) const { write_users(json, "members", body.members); }
  void operator()(const MemberRemoved& body) const { write_id(json, "user", body.user); }
  void operator()(const MemberLeft& body) const {
    write_id(json, "user", body.user);
    if (body.successor) write_id(json, "successor", *body.successor);
  }
  void operator()(const RoleChanged& body) const {
    write_id(json, "user", body.user);
    json.key("role").string(word(body.role));
  }
  void operator()(const ConversationListed& body) const {
    write_id(json, "about", body.conversation);
    json.key("kind").string(word(body.kind)).key("listed").boolean(body.listed);
  }
  void operator()(const BlockSet& body) const {
    write_id(json, "user", body.user);
    json.key("blocked").boolean(body.blocked);
  }
};

ConversationKind read_kind(Fields& fields) {
  const auto kind = conversation_kind_named(fields.text("kind"));
  if (!kind) fields.complain("kind", "is unknown");
  return kind.value_or(ConversationKind::direct);
}

Message read_message(Fields& fields) {
  Message message;
  const auto object = fields.optional_object("message");
  if (!object) return fields.complain("message", "is missing"), message;
  Fields inner(*object);
  const auto kind = message_kind_named(inner.text("kind"));
  message.text = inner.text("text");
  if (!kind || !inner.ok()) fields.complain("message", "is not {kind, text}");
  return message;
}

// False: unknown.
bool read_body(std::string_view name, Fields& fields, Event& event) {
  if (name == "message.created") {
    event.body = MessageCreated{read_message(fields)};
  } else if (name == "conversation.created") {
    auto& body = event.body.emplace<ConversationCreated>();
    body.kind = read_kind(fields);
    body.members = read_users(fields, "members");
    body.title = fields.optional_text("title").value_or("");
    body.history = read_history(fields).value_or(History::joining);
  } else if (name == "conversation.updated") {
    auto& body = event.body.emplace<ConversationUpdated>();
    if (const auto title = fields.optional_text("title")) body.title = *title;
    body.history = read_history(fields);
  } else if (name == "member.added") {
    event.body = MembersAdded{read_users(fields, "members")};
  } else if (name == "member.removed") {
    event.body = MemberRemoved{fields.decimal<UserId>("user")};
  } else if (name == "member.left") {
    event.body = MemberLeft{fields.decimal<UserId>("user"), fields.optional_decimal<UserId>("successor")};
  } else if (name == "member.role_changed") {
    event.body = RoleChanged{fields.decimal<UserId>("user"), read_role(fields)};
  } else if (name == "conversation.listed") {
    event.body = ConversationListed{fields.uuid<ConversationId>("about"), read_kind(fields),
                                    read_flag(fields, "listed")};
  } else if (name == "block.set") {
    event.body = BlockSet{fields.decimal<UserId>("user"), read_flag(fields, "blocked")};
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<Event> read_event(Fields& fields) {
  Event event;
  if (!read_body(fields.text("event"), fields, event) && fields.ok()) return std::nullopt;
  event.conversation = fields.uuid<ConversationId>("conversation");
  event.seq = {fields.number("seq")};
  event.ord = {fields.number("ord")};
  event.id = fields.decimal<MessageId>("id");
  event.time = read_time(fields, "time");
  event.from = fields.decimal<UserId>("from");
  event.client_id = fields.optional_uuid<ClientId>("client_id").value_or(ClientId{});
  return event;
}

std::string encode_event(const Event& event) {
  std::string out;
  const auto* message = std::get_if<MessageCreated>(&event.body);
  out.reserve(320 + (message ? message->message.text.size() : 0));
  JsonWriter json(out);
  json.begin_object().key("type").string("event");
  json.key("event").string(std::visit(Naming{}, event.body));
  write_id(json, "conversation", event.conversation);
  json.key("seq").number(event.seq.value).key("ord").number(event.ord.value);
  write_id(json, "id", event.id);
  json.key("time").number(base::to_ms(event.time));
  write_id(json, "from", event.from);
  if (event.client_id != ClientId{}) write_id(json, "client_id", event.client_id);
  std::visit(WriteBody{json}, event.body);
  json.end_object();
  return out;
}

}  // namespace tidings::wire
