// Frames from the server, as client/cpp reads them.
#include "wire/frame_fields.h"
#include "wire/frame_text.h"
#include "wire/frames.h"

namespace tidings::wire {
namespace {

using Parsed = base::Result<ServerFrame, FrameProblem>;

// Pages and syncs are larger than any client frame, but not deeper.
constexpr size_t depth_max = 16;

ServerFrame read_welcome(Fields& fields) {
  Welcome welcome;
  welcome.version = static_cast<int>(std::min<uint64_t>(fields.number("version"), 1 << 30));
  welcome.session = fields.optional_text("session").value_or("");
  welcome.resume = fields.optional_text("resume").value_or("");
  welcome.resumed = fields.optional_boolean("resumed").value_or(false);
  welcome.received = fields.optional_number("received").value_or(0);
  welcome.replayed = fields.optional_number("replayed").value_or(0);
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
    welcome.sync_rows_max = limits.optional_number("sync_rows_max").value_or(0);
    welcome.members_max = limits.optional_number("members_max").value_or(0);
    welcome.title_bytes_max = limits.optional_number("title_bytes_max").value_or(0);
  }
  return welcome;
}

ServerFrame read_dirty(Fields& fields) {
  Dirty dirty;
  if (const auto rows = fields.array("conversations")) {
    for (const JsonValue value : *rows) {
      const auto parts = elements_of(value);
      const auto text = parts.size() == 2 ? text_of(parts[0]) : std::nullopt;
      const auto conversation = text ? model::parse_uuid(*text) : std::nullopt;
      const auto head = parts.size() == 2 ? number_of(parts[1]) : std::nullopt;
      if (!conversation || !head)
        return fields.complain("conversations", "has a row that is not [conversation, head]"), dirty;
      dirty.conversations.push_back({{*conversation}, {*head}});
    }
  }
  dirty.list = fields.optional_boolean("list").value_or(false);
  dirty.branch = std::string(fields.optional_text("branch").value_or(""));
  return dirty;
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

std::vector<model::ReadCount> read_counts(Fields& fields) {
  std::vector<model::ReadCount> counts;
  const auto array = fields.optional_array("counts");
  if (!array) return counts;
  for (const JsonValue value : *array) {
    const auto parts = elements_of(value);
    const bool whole = parts.size() == 3;
    const auto seq = whole ? number_of(parts[0]) : std::nullopt;
    const auto read = whole ? number_of(parts[1]) : std::nullopt;
    const auto delivered = whole ? number_of(parts[2]) : std::nullopt;
    if (!seq || !read || !delivered)
      return fields.complain("counts", "has a row that is not [seq, read, delivered]"), counts;
    counts.push_back({{*seq}, *read, *delivered});
  }
  return counts;
}

ServerFrame read_receipt(Fields& fields) {
  Receipt receipt;
  receipt.conversation = fields.uuid<model::ConversationId>("conversation");
  receipt.marks = read_marks(fields);
  receipt.mark_count = fields.number("mark_count");
  receipt.counts = read_counts(fields);
  receipt.members = fields.optional_number("members").value_or(0);
  return receipt;
}

ServerFrame read_page(Fields& fields, std::optional<Request> request) {
  PageFrame page;
  page.request = request.value_or(0);
  if (!request) fields.complain("request", "is missing");
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
      const auto parts = elements_of(value);
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
  page.from = {fields.number("from")};
  page.upto = {fields.number("upto")};
  page.head = {fields.number("head")};
  page.asof = {fields.optional_number("asof").value_or(page.upto.value)};
  page.more = fields.optional_boolean("more").value_or(false);
  page.earlier = fields.optional_boolean("earlier").value_or(false);
  page.marks = read_marks(fields);
  page.mark_count = fields.optional_number("mark_count").value_or(0);
  page.counts = read_counts(fields);
  page.members = fields.optional_number("members").value_or(0);
  return page;
}

ServerFrame read_sync(Fields& fields, std::optional<Request> request) {
  SyncAnswer sync;
  sync.request = request.value_or(0);
  if (!request) fields.complain("request", "is missing");
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
      synced.kind = kind.value_or(model::ConversationKind::direct);
      synced.title = row.optional_text("title").value_or("");
      synced.head = {{row.number("head")}, row.decimal<model::MessageId>("head_id")};
      synced.ord = {row.number("ord")};
      if (row.has("role")) synced.role = read_role(row);
      synced.left = row.optional_boolean("left").value_or(false);
      synced.members = row.optional_number("members").value_or(0);
      synced.marks = read_marks(row);
      synced.mark_count = row.optional_number("mark_count").value_or(0);
      synced.read_ord = {row.optional_number("read_ord").value_or(0)};
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
  if (type == "receipt") return read_receipt(fields);
  if (type == "page") return read_page(fields, request);
  if (type == "sync") return read_sync(fields, request);
  if (type == "pong") return ServerFrame(Pong{read_time(fields, "now")});
  if (type == "moved") return ServerFrame(Moved{fields.optional_number("retry_ms").value_or(0)});
  if (type == "dirty") return read_dirty(fields);
  if (type == "welcome") return read_welcome(fields);
  return ServerFrame(UnknownFrame{std::string(type), request});
}

}  // namespace

ServerFrames parse_server_frames(std::string_view message) {
  ServerFrames out;
  out.frames =
      read_frames<ServerFrame>(message, depth_max, [&](std::string_view type, Fields& fields, auto request) {
        if (type != "welcome" && type != "kick" && !fields.is_true("ephemeral")) ++out.counted;
        return read_server_frame(type, fields, request);
      });
  return out;
}

}  // namespace tidings::wire
