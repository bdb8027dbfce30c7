// Frames from the server, written by gateway and delivery and read by client/cpp.
#include "wire/frame_text.h"
#include "wire/frame_words.h"
#include "wire/frames.h"
#include "wire/json_writer.h"
#include "wire/page_json.h"

namespace tidings::wire {
namespace {

using Parsed = base::Result<ServerFrame, FrameProblem>;

// Pages and syncs are larger than any client frame, but not deeper.
constexpr size_t depth_max = 16;

base::WallTime read_time(Fields& fields, std::string_view name) {
  return base::wall_from_ms(static_cast<int64_t>(fields.number(name)));
}

ServerFrame read_welcome(Fields& fields) {
  Welcome welcome;
  welcome.version = static_cast<int>(std::min<uint64_t>(fields.number("version"), 1 << 30));
  welcome.session = fields.optional_text("session").value_or("");
  welcome.resume = fields.optional_text("resume").value_or("");
  welcome.resumed = fields.optional_boolean("resumed").value_or(false);
  welcome.received = fields.optional_number("received").value_or(0);
  welcome.user = fields.decimal<model::UserId>("user");
  welcome.device = fields.decimal<model::DeviceId>("device");
  welcome.heartbeat_ms = fields.number("heartbeat_ms");
  welcome.now = read_time(fields, "now");
  welcome.branch = fields.text("branch");
  welcome.sync = fields.text("sync");
  if (const auto object = fields.optional_object("limits")) {
    Fields limits(*object);
    welcome.frame_bytes_max = limits.optional_number("frame_bytes_max").value_or(0);
    welcome.text_bytes_max = limits.optional_number("text_bytes_max").value_or(0);
    welcome.page_events_max = limits.optional_number("page_events_max").value_or(0);
    welcome.sends_in_flight_max = limits.optional_number("sends_in_flight_max").value_or(0);
  }
  return welcome;
}

ServerFrame read_ok(Fields& fields, std::optional<Request> request) {
  Ok ok;
  ok.request = request.value_or(0);
  if (!request) fields.complain("request", "is missing");
  ok.conversation = fields.uuid<model::ConversationId>("conversation");
  ok.seq = {fields.number("seq")};
  ok.ord = {fields.number("ord")};
  ok.id = fields.decimal<model::MessageId>("id");
  ok.time = read_time(fields, "time");
  ok.duplicate = fields.optional_boolean("duplicate").value_or(false);
  return ok;
}

ServerFrame read_error(Fields& fields, std::optional<Request> request) {
  ErrorFrame error;
  error.request = request;
  error.code = code_named(fields.text("code")).value_or(Code::internal);  // a newer server may know more
  error.message = fields.optional_text("message").value_or("");
  error.retry_ms = fields.optional_number("retry_ms");
  error.missing = fields.optional_uuid<model::ClientId>("missing");
  return error;
}

// nullopt: an event that this version does not know.
std::optional<model::Event> read_event(Fields& fields) {
  model::Event event;
  const auto name = fields.text("event");
  event.conversation = fields.uuid<model::ConversationId>("conversation");
  event.seq = {fields.number("seq")};
  event.ord = {fields.number("ord")};
  event.id = fields.decimal<model::MessageId>("id");
  event.time = read_time(fields, "time");
  event.from = fields.decimal<model::UserId>("from");
  event.client_id = fields.uuid<model::ClientId>("client_id");
  if (name == "message.created") {
    const auto object = fields.optional_object("message");
    if (!object) return fields.complain("message", "is missing"), event;
    Fields message(*object);
    const auto kind = message_kind_named(message.text("kind"));
    const auto text = message.text("text");
    if (!kind || !message.ok()) fields.complain("message", "is not {kind, text}");
    event.body = model::MessageCreated{{kind.value_or(model::MessageKind::text), std::string(text)}};
  } else if (name == "conversation.created") {
    model::ConversationCreated created;
    const auto kind = conversation_kind_named(fields.text("kind"));
    if (!kind) fields.complain("kind", "is unknown");
    if (const auto members = fields.array("members")) {
      for (const JsonValue value : *members) {
        const auto user = decimal_of<model::UserId>(value);
        if (!user) fields.complain("members", "has something that is not a person's id");
        created.members.push_back(user.value_or(model::UserId{}));
      }
    }
    event.body = std::move(created);
  } else {
    return std::nullopt;
  }
  return event;
}

std::vector<model::Mark> read_marks(Fields& fields) {
  std::vector<model::Mark> marks;
  const auto array = fields.optional_array("marks");
  if (!array) return marks;
  for (const JsonValue value : *array) {
    JsonObject object;
    if (value.get(object) != simdjson::SUCCESS)
      return fields.complain("marks", "has something that is no object"), marks;
    Fields mark(object);
    marks.push_back({mark.decimal<model::UserId>("user"), {mark.number("read")}, {mark.number("delivered")}});
    if (!mark.ok()) fields.complain("marks", "has a row that is not {user, read, delivered}");
  }
  return marks;
}

ServerFrame read_page(Fields& fields, std::optional<Request> request) {
  PageFrame page;
  page.request = request.value_or(0);
  page.conversation = fields.uuid<model::ConversationId>("conversation");
  if (const auto events = fields.array("events")) {
    for (const JsonValue value : *events) {
      JsonObject object;
      if (value.get(object) != simdjson::SUCCESS)
        fields.complain("events", "has something that is no object");
      if (!fields.ok()) return page;
      Fields inner(object);
      auto event = read_event(inner);
      if (!event || !inner.ok()) fields.complain("events", "has one that is unknown or broken");
      if (event) page.events.push_back(std::move(*event));
    }
  }
  if (const auto holes = fields.optional_array("holes")) {
    for (const JsonValue value : *holes) {
      JsonArray row;
      std::vector<JsonValue> parts;
      if (value.get(row) == simdjson::SUCCESS) {
        for (const JsonValue part : row) parts.push_back(part);
      }
      const bool whole = parts.size() == 3;
      const auto from = whole ? number_of(parts[0]) : std::nullopt;
      const auto to = whole ? number_of(parts[1]) : std::nullopt;
      const auto why = whole ? text_of(parts[2]) : std::nullopt;
      if (!from || !to || !why)
        return fields.complain("holes", "has a row that is not [from, to, why]"), page;
      // A reason that this version does not know is a hole all the same.
      page.holes.push_back({{*from}, {*to}, hole_reason_named(*why).value_or(model::HoleReason::unreadable)});
    }
  }
  page.upto = {fields.number("upto")};
  page.head = {fields.number("head")};
  page.asof = {fields.optional_number("asof").value_or(page.upto.value)};
  page.more = fields.optional_boolean("more").value_or(false);
  page.marks = read_marks(fields);
  page.mark_count = fields.optional_number("mark_count").value_or(0);
  return page;
}

ServerFrame read_sync(Fields& fields, std::optional<Request> request) {
  SyncAnswer sync;
  sync.request = request.value_or(0);
  if (const auto rows = fields.array("conversations")) {
    for (const JsonValue value : *rows) {
      JsonObject object;
      if (value.get(object) != simdjson::SUCCESS) {
        return fields.complain("conversations", "has something that is no object"), sync;
      }
      Fields row(object);
      SyncedConversation synced;
      synced.conversation = row.uuid<model::ConversationId>("conversation");
      const auto kind = conversation_kind_named(row.text("kind"));
      if (!kind) row.complain("kind", "is unknown");
      synced.title = row.optional_text("title").value_or("");
      synced.head = {{row.number("head")}, row.decimal<model::MessageId>("head_id")};
      synced.ord = {row.number("ord")};
      synced.marks = read_marks(row);
      synced.mark_count = row.optional_number("mark_count").value_or(0);
      synced.unread = row.optional_number("unread").value_or(0);
      if (!row.ok()) fields.complain("conversations", "has a broken row: " + row.complaint());
      sync.conversations.push_back(std::move(synced));
    }
  }
  sync.activity = fields.decimal<model::Position>("activity");
  sync.more = fields.optional_boolean("more").value_or(false);
  sync.next = fields.optional_uuid<model::ConversationId>("next");
  return sync;
}

Parsed read_server_frame(std::string_view type, Fields& fields, std::optional<Request> request) {
  if (type == "event") {
    auto event = read_event(fields);
    if (!event) return ServerFrame(UnknownFrame{"event", std::nullopt});
    return ServerFrame(EventFrame{std::move(*event)});
  }
  if (type == "ok") return read_ok(fields, request);
  if (type == "error") return read_error(fields, request);
  if (type == "page") return read_page(fields, request);
  if (type == "sync") return read_sync(fields, request);
  if (type == "pong") return ServerFrame(Pong{read_time(fields, "now")});
  if (type == "welcome") return read_welcome(fields);
  return ServerFrame(UnknownFrame{std::string(type), request});
}

void write_marks(JsonWriter& json, const std::vector<model::Mark>& marks, uint64_t mark_count) {
  json.key("marks").begin_array();
  for (const auto& mark : marks) {
    json.begin_object().key("user").string(model::to_text(mark.user));
    json.key("read").number(mark.read.value).key("delivered").number(mark.delivered.value).end_object();
  }
  json.end_array().key("mark_count").number(mark_count);
}

}  // namespace

ServerFrames parse_server_frames(std::string_view message) {
  return {
      read_frames<ServerFrame>(message, depth_max, [](std::string_view type, Fields& fields, auto request) {
        return read_server_frame(type, fields, request);
      })};
}

std::string encode(const Welcome& welcome) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("welcome");
  json.key("version").number(static_cast<uint64_t>(welcome.version));
  json.key("session").string(welcome.session).key("resume").string(welcome.resume);
  json.key("resumed").boolean(welcome.resumed).key("received").number(welcome.received);
  json.key("user").string(model::to_text(welcome.user)).key("device").string(model::to_text(welcome.device));
  json.key("heartbeat_ms").number(welcome.heartbeat_ms).key("now").number(base::to_ms(welcome.now));
  json.key("branch").string(welcome.branch).key("sync").string(welcome.sync);
  json.key("limits").begin_object();
  json.key("frame_bytes_max")
      .number(welcome.frame_bytes_max)
      .key("text_bytes_max")
      .number(welcome.text_bytes_max);
  json.key("page_events_max").number(welcome.page_events_max);
  json.key("sends_in_flight_max").number(welcome.sends_in_flight_max).end_object().end_object();
  return out;
}

std::string encode(const Pong& pong) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("pong").key("ephemeral").boolean(true);
  json.key("now").number(base::to_ms(pong.now)).end_object();
  return out;
}

std::string encode(const Ok& ok) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("ok").key("request").number(ok.request);
  json.key("conversation").string(model::to_text(ok.conversation));
  json.key("seq")
      .number(ok.seq.value)
      .key("ord")
      .number(ok.ord.value)
      .key("id")
      .string(model::to_text(ok.id));
  json.key("time").number(base::to_ms(ok.time));
  if (ok.duplicate) json.key("duplicate").boolean(true);
  json.end_object();
  return out;
}

std::string encode(const ErrorFrame& error) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string("error");
  if (error.request) json.key("request").number(*error.request);
  json.key("code").string(name(error.code));
  json.key("message").string(error.message.empty() ? row(error.code).sentence : error.message);
  if (error.retry_ms) json.key("retry_ms").number(*error.retry_ms);
  if (error.missing) json.key("missing").string(model::to_text(*error.missing));
  json.end_object();
  return out;
}

std::string encode_event(const model::Event& event) {
  std::string out;
  const auto* message = std::get_if<model::MessageCreated>(&event.body);
  out.reserve(320 + (message ? message->message.text.size() : 0));
  JsonWriter json(out);
  json.begin_object().key("type").string("event");
  json.key("event").string(message ? "message.created" : "conversation.created");
  json.key("conversation").string(model::to_text(event.conversation));
  json.key("seq").number(event.seq.value).key("ord").number(event.ord.value);
  json.key("id").string(model::to_text(event.id)).key("time").number(base::to_ms(event.time));
  json.key("from")
      .string(model::to_text(event.from))
      .key("client_id")
      .string(model::to_text(event.client_id));
  if (message) {
    json.key("message").begin_object().key("kind").string(word(message->message.kind));
    json.key("text").string(message->message.text).end_object();
  } else if (const auto* created = std::get_if<model::ConversationCreated>(&event.body)) {
    json.key("kind").string(word(created->kind)).key("members").begin_array();
    for (const auto user : created->members) json.string(model::to_text(user));
    json.end_array();
  }
  json.end_object();
  return out;
}

void write_page(JsonWriter& json, const PageFrame& page, const std::vector<std::string>& events) {
  json.key("conversation").string(model::to_text(page.conversation));
  json.key("events").begin_array();
  for (const auto& event : events) json.raw(event);
  json.end_array().key("holes").begin_array();
  for (const auto& hole : page.holes) {
    json.begin_array().number(hole.from.value).number(hole.to.value).string(word(hole.why)).end_array();
  }
  json.end_array();
  json.key("upto").number(page.upto.value).key("head").number(page.head.value);
  json.key("more").boolean(page.more).key("asof").number(page.asof.value);
  write_marks(json, page.marks, page.mark_count);
}

std::string encode_page(const PageFrame& page, const std::vector<std::string>& events) {
  std::string out;
  size_t bytes = 512;
  for (const auto& event : events) bytes += event.size() + 1;
  out.reserve(bytes);
  JsonWriter json(out);
  json.begin_object().key("type").string("page").key("request").number(page.request);
  write_page(json, page, events);
  json.end_object();
  return out;
}

std::string encode(const SyncAnswer& sync) {
  std::string out;
  out.reserve(256 + sync.conversations.size() * 320);
  JsonWriter json(out);
  json.begin_object().key("type").string("sync").key("request").number(sync.request);
  json.key("conversations").begin_array();
  for (const auto& synced : sync.conversations) {
    json.begin_object().key("conversation").string(model::to_text(synced.conversation));
    json.key("kind").string(word(synced.kind)).key("title").string(synced.title);
    json.key("head").number(synced.head.seq.value).key("head_id").string(model::to_text(synced.head.id));
    json.key("ord").number(synced.ord.value);
    write_marks(json, synced.marks, synced.mark_count);
    json.key("unread").number(synced.unread).end_object();
  }
  json.end_array();
  // A position needs 64 bits: a decimal string like every other id.
  json.key("activity").string(model::to_text(sync.activity)).key("more").boolean(sync.more);
  if (sync.next) json.key("next").string(model::to_text(*sync.next));
  json.end_object();
  return out;
}

}  // namespace tidings::wire
