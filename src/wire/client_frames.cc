// Frames from clients, as the server reads them.
#include <algorithm>
#include <limits>

#include "wire/frame_fields.h"
#include "wire/frame_text.h"
#include "wire/frames.h"

namespace tidings::wire {
namespace {

using Parsed = base::Result<ClientFrame, FrameProblem>;

ClientFrame read_hello(Fields& fields) {
  Hello hello;
  if (const auto versions = fields.optional_array("versions")) {
    std::vector<uint64_t> numbers;
    for (const JsonValue value : *versions) numbers.push_back(number_of(value).value_or(json_number_end));
    constexpr auto top = static_cast<uint64_t>(std::numeric_limits<int>::max());
    if (numbers.size() != 2 || numbers[0] > numbers[1] || numbers[1] > top) {
      fields.complain("versions", "is not [min, max]");
    } else {
      hello.version_min = static_cast<int>(numbers[0]);
      hello.version_max = static_cast<int>(numbers[1]);
    }
  }
  hello.token = fields.optional_text("token").value_or("");
  hello.app = fields.optional_text("app").value_or("");
  if (const auto capabilities = fields.optional_array("capabilities")) {
    for (const JsonValue value : *capabilities) {
      const auto text = text_of(value);
      if (!text) fields.complain("capabilities", "has something that is not a string");
      hello.capabilities.emplace_back(text.value_or(""));
    }
  }
  if (const auto branch = fields.optional_text("branch")) hello.branch = *branch;
  if (const auto session = fields.optional_text("session")) hello.session = *session;
  if (const auto resume = fields.optional_text("resume")) hello.resume = *resume;
  hello.received = fields.optional_number("received");
  if (const auto newest = fields.optional_object("newest")) {
    Fields inner(*newest);
    Hello::Newest event;
    event.conversation = inner.uuid<model::ConversationId>("conversation");
    event.event = {{inner.number("seq")}, inner.decimal<model::MessageId>("id")};
    if (!inner.ok()) fields.complain("newest", "is not {conversation, seq, id}");
    hello.newest = event;
  }
  return hello;
}

// A request that this version must answer needs its number, or nobody could be told.
Request needed(Fields& fields, std::optional<Request> request) {
  if (!request) fields.complain("request", "is missing");
  return request.value_or(0);
}

// The nil UUID is not for commands: it marks the events that follow from another conversation's.
model::ClientId read_client_id(Fields& fields) {
  const auto id = fields.uuid<model::ClientId>("client_id");
  if (id == model::ClientId{}) fields.complain("client_id", "is nil");
  return id;
}

// What all commands in a conversation begin with.
template <class Frame>
Frame begin_command(Fields& fields, std::optional<Request> request) {
  Frame frame;
  frame.request = needed(fields, request);
  frame.conversation = fields.uuid<model::ConversationId>("conversation");
  frame.client_id = read_client_id(fields);
  return frame;
}

Parsed read_send(Fields& fields, std::optional<Request> request, size_t text_bytes_max) {
  MessageSend send;
  send.request = needed(fields, request);
  send.conversation = fields.optional_uuid<model::ConversationId>("conversation");
  send.to = fields.optional_decimal<model::UserId>("to");
  send.client_id = read_client_id(fields);
  send.previous = fields.optional_uuid<model::ClientId>("previous");
  if (const auto until = fields.optional_number("until"))
    send.until = base::wall_from_ms(static_cast<int64_t>(*until));
  if (fields.has("conversation") == fields.has("to")) fields.complain("conversation", "or else to is needed");
  const auto message = fields.optional_object("message");
  if (!message) return fields.complain("message", "is missing"), ClientFrame(send);
  Fields inner(*message);
  const auto kind = inner.text("kind");
  if (!inner.ok()) return fields.complain("message.kind", "is not a string"), ClientFrame(send);
  if (!message_kind_named(kind)) {
    return base::fail(FrameProblem{Code::unsupported, "This kind of message is unknown.", request, false});
  }
  send.message.kind = *message_kind_named(kind);
  const auto text = inner.text("text");
  if (!inner.ok()) return fields.complain("message.text", "is not a string"), ClientFrame(send);
  if (text.size() > text_bytes_max) {
    return base::fail(FrameProblem{Code::too_large, "The text is longer than allowed.", request, false});
  }
  send.message.text = text;
  return ClientFrame(std::move(send));
}

Parsed read_create(Fields& fields, std::optional<Request> request) {
  ConversationCreate create;
  create.request = needed(fields, request);
  create.client_id = read_client_id(fields);
  const auto kind = conversation_kind_named(fields.text("kind"));
  create.members = read_users(fields, "members");
  create.title = fields.optional_text("title").value_or("");
  create.history = read_history(fields).value_or(model::History::joining);
  if (fields.ok() && (!kind || *kind == model::ConversationKind::self)) {
    return base::fail(
        FrameProblem{Code::unsupported, "This kind of conversation is unknown.", request, false});
  }
  create.kind = kind.value_or(model::ConversationKind::direct);
  return ClientFrame(std::move(create));
}

ClientFrame read_update(Fields& fields, std::optional<Request> request) {
  auto update = begin_command<ConversationUpdate>(fields, request);
  if (const auto title = fields.optional_text("title")) update.title = *title;
  update.history = read_history(fields);
  if (!update.title && !update.history) fields.complain("title", "or history is needed");
  return update;
}

ClientFrame read_member_add(Fields& fields, std::optional<Request> request) {
  auto add = begin_command<MemberAdd>(fields, request);
  add.users = read_users(fields, "users");
  return add;
}

ClientFrame read_member_remove(Fields& fields, std::optional<Request> request) {
  auto remove = begin_command<MemberRemove>(fields, request);
  remove.user = fields.decimal<model::UserId>("user");
  return remove;
}

ClientFrame read_member_role(Fields& fields, std::optional<Request> request) {
  auto change = begin_command<MemberRole>(fields, request);
  change.user = fields.decimal<model::UserId>("user");
  change.role = read_role(fields);
  return change;
}

ClientFrame read_block(Fields& fields, std::optional<Request> request) {
  BlockFrame block;
  block.request = needed(fields, request);
  block.client_id = read_client_id(fields);
  block.user = fields.decimal<model::UserId>("user");
  block.blocked = read_flag(fields, "blocked");
  return block;
}

ClientFrame read_mark(Fields& fields, std::optional<Request> request) {
  MarkFrame mark;
  mark.request = request;
  mark.conversation = fields.uuid<model::ConversationId>("conversation");
  mark.read = read_cursor(fields, "read");
  if (mark.read) mark.read_ord = {fields.number("read_ord")};
  if (const auto delivered = fields.optional_number("delivered")) mark.delivered = {*delivered};
  mark.hidden = fields.optional_boolean("private").value_or(false);
  if (!mark.read && !mark.delivered) fields.complain("read", "or delivered is needed");
  return mark;
}

ClientFrame read_focus(Fields& fields) {
  return FocusFrame{fields.optional_uuid<model::ConversationId>("conversation")};
}

std::optional<uint64_t> read_limit(Fields& fields) {
  const auto limit = fields.optional_number("limit");
  if (limit == 0u) fields.complain("limit", "is 0");
  return limit;
}

ClientFrame read_pull(Fields& fields, std::optional<Request> request) {
  PullFrame pull;
  pull.request = needed(fields, request);
  pull.conversation = fields.uuid<model::ConversationId>("conversation");
  pull.after = {fields.number("after")};
  pull.check = read_cursor(fields, "check");
  pull.limit = read_limit(fields);
  return pull;
}

ClientFrame read_history_frame(Fields& fields, std::optional<Request> request) {
  HistoryFrame history;
  history.request = needed(fields, request);
  history.conversation = fields.uuid<model::ConversationId>("conversation");
  int places = 0;
  for (const auto place : {HistoryPlace::before, HistoryPlace::after, HistoryPlace::around}) {
    const auto seq = fields.optional_number(word(place));
    if (!seq) continue;
    history.place = place;
    history.seq = {*seq};
    ++places;
  }
  if (places != 1) fields.complain("before", "or after or around is needed, and only one");
  history.have = read_cursor(fields, "have");
  history.limit = read_limit(fields);
  return history;
}

std::optional<VectorEntry> read_vector_row(JsonValue value) {
  const auto parts = elements_of(value);
  if (parts.size() != 3 && parts.size() != 4) return std::nullopt;
  const auto conversation = uuid_of<model::ConversationId>(parts[0]);
  const auto seq = number_of(parts[1]);
  const auto id = decimal_of<model::MessageId>(parts[2]);
  const auto mark_count = parts.size() == 4 ? number_of(parts[3]) : std::nullopt;
  if (!conversation || !seq || !id || (parts.size() == 4 && !mark_count)) return std::nullopt;
  return VectorEntry{*conversation, {{*seq}, *id}, mark_count};
}

ClientFrame read_sync(Fields& fields, std::optional<Request> request) {
  SyncFrame sync;
  sync.request = needed(fields, request);
  sync.from = fields.uuid<model::ConversationId>("from");
  sync.to = fields.uuid<model::ConversationId>("to");
  sync.activity = fields.optional_decimal<model::Position>("activity");
  const auto vector = fields.array("vector");
  if (!vector) return sync;
  for (const JsonValue value : *vector) {
    const auto row = read_vector_row(value);
    if (!row) {
      fields.complain("vector",
                      "has a row that is neither [conversation, seq, id] nor with mark_count behind");
      return sync;
    }
    sync.vector.push_back(*row);
  }
  return sync;
}

Parsed read_client_frame(std::string_view type, Fields& fields, std::optional<Request> request,
                         size_t text_bytes_max) {
  if (type == "message.send") return read_send(fields, request, text_bytes_max);
  if (type == "ping") return ClientFrame(Ping{});
  if (type == "ack") return ClientFrame(Ack{fields.number("received")});
  if (type == "pull") return read_pull(fields, request);
  if (type == "sync") return read_sync(fields, request);
  if (type == "mark") return read_mark(fields, request);
  if (type == "focus") return read_focus(fields);
  if (type == "history") return read_history_frame(fields, request);
  if (type == "conversation.create") return read_create(fields, request);
  if (type == "conversation.update") return read_update(fields, request);
  if (type == "conversation.leave") return ClientFrame(begin_command<ConversationLeave>(fields, request));
  if (type == "member.add") return read_member_add(fields, request);
  if (type == "member.remove") return read_member_remove(fields, request);
  if (type == "member.role") return read_member_role(fields, request);
  if (type == "block.set") return read_block(fields, request);
  if (type == "hello") return read_hello(fields);
  if (type == "bye") return ClientFrame(Bye{});
  return ClientFrame(UnknownFrame{std::string(type), request});
}

}  // namespace

ClientFrames parse_client_frames(std::string_view message, size_t depth_max, size_t text_bytes_max) {
  ClientFrames out;
  out.frames =
      read_frames<ClientFrame>(message, depth_max, [&](std::string_view type, Fields& fields, auto request) {
        // In a hello it is about the session before.
        const auto received = type == "hello" ? std::nullopt : fields.optional_number("received");
        if (received) out.received = std::max(out.received.value_or(0), *received);
        return read_client_frame(type, fields, request, text_bytes_max);
      });
  return out;
}

}  // namespace tidings::wire
