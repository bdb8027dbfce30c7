// Frames from clients, read by the server and written by client/cpp.
#include <limits>

#include "wire/frame_text.h"
#include "wire/frame_words.h"
#include "wire/frames.h"
#include "wire/json_writer.h"

namespace tidings::wire {
namespace {

using Parsed = base::Result<ClientFrame, FrameProblem>;

std::optional<model::Cursor> read_cursor(Fields& fields, std::string_view name) {
  const auto object = fields.optional_object(name);
  if (!object) return std::nullopt;
  Fields inner(*object);
  const model::Cursor cursor{{inner.number("seq")}, inner.decimal<model::MessageId>("id")};
  if (!inner.ok()) fields.complain(name, "is not {seq, id}");
  return cursor;
}

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

Parsed read_send(Fields& fields, std::optional<Request> request, size_t text_bytes_max) {
  MessageSend send;
  send.request = needed(fields, request);
  send.conversation = fields.optional_uuid<model::ConversationId>("conversation");
  send.to = fields.optional_decimal<model::UserId>("to");
  send.client_id = fields.uuid<model::ClientId>("client_id");
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
  create.client_id = fields.uuid<model::ClientId>("client_id");
  const auto kind = fields.text("kind");
  if (const auto members = fields.array("members")) {
    for (const JsonValue value : *members) {
      const auto user = decimal_of<model::UserId>(value);
      if (!user) fields.complain("members", "has something that is not a person's id");
      create.members.push_back(user.value_or(model::UserId{}));
    }
  }
  if (fields.ok() && !conversation_kind_named(kind)) {
    return base::fail(
        FrameProblem{Code::unsupported, "This kind of conversation is unknown.", request, false});
  }
  create.kind = conversation_kind_named(kind).value_or(model::ConversationKind::direct);
  return ClientFrame(std::move(create));
}

ClientFrame read_pull(Fields& fields, std::optional<Request> request) {
  PullFrame pull;
  pull.request = needed(fields, request);
  pull.conversation = fields.uuid<model::ConversationId>("conversation");
  pull.after = {fields.number("after")};
  pull.check = read_cursor(fields, "check");
  pull.limit = fields.optional_number("limit");
  if (pull.limit && *pull.limit == 0) fields.complain("limit", "is 0");
  return pull;
}

ClientFrame read_sync(Fields& fields, std::optional<Request> request) {
  SyncFrame sync;
  sync.request = needed(fields, request);
  sync.from = fields.uuid<model::ConversationId>("from");
  sync.to = fields.uuid<model::ConversationId>("to");
  const auto vector = fields.array("vector");
  if (!vector) return sync;
  for (const JsonValue value : *vector) {
    JsonArray row;
    std::vector<JsonValue> parts;
    if (value.get(row) == simdjson::SUCCESS) {
      for (const JsonValue part : row) parts.push_back(part);
    }
    const bool whole = parts.size() == 3;
    const auto conversation = whole ? uuid_of<model::ConversationId>(parts[0]) : std::nullopt;
    const auto seq = whole ? number_of(parts[1]) : std::nullopt;
    const auto id = whole ? decimal_of<model::MessageId>(parts[2]) : std::nullopt;
    if (!conversation || !seq || !id)
      return fields.complain("vector", "has a row that is not [conversation, seq, id]"), sync;
    sync.vector.push_back({*conversation, {{*seq}, *id}});
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
  if (type == "conversation.create") return read_create(fields, request);
  if (type == "hello") return read_hello(fields);
  if (type == "bye") return ClientFrame(Bye{});
  return ClientFrame(UnknownFrame{std::string(type), request});
}

std::string object(std::string_view type, auto write) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string(type);
  write(json);
  json.end_object();
  return out;
}

}  // namespace

ClientFrames parse_client_frames(std::string_view message, size_t depth_max, size_t text_bytes_max) {
  return {
      read_frames<ClientFrame>(message, depth_max, [&](std::string_view type, Fields& fields, auto request) {
        return read_client_frame(type, fields, request, text_bytes_max);
      })};
}

std::string encode(const Hello& hello) {
  return object("hello", [&](JsonWriter& json) {
    json.key("versions").begin_array();
    json.number(static_cast<uint64_t>(hello.version_min))
        .number(static_cast<uint64_t>(hello.version_max))
        .end_array();
    json.key("token").string(hello.token).key("app").string(hello.app);
    json.key("capabilities").begin_array();
    for (const auto& capability : hello.capabilities) json.string(capability);
    json.end_array();
    if (hello.branch) json.key("branch").string(*hello.branch);
    if (!hello.newest) return;
    json.key("newest").begin_object();
    json.key("conversation").string(model::to_text(hello.newest->conversation));
    json.key("seq").number(hello.newest->event.seq.value);
    json.key("id").string(model::to_text(hello.newest->event.id)).end_object();
  });
}

std::string encode(const Ping&) {
  return object("ping", [](JsonWriter&) {});
}

std::string encode(const Ack& ack) {
  return object("ack", [&](JsonWriter& json) { json.key("received").number(ack.received); });
}

std::string encode(const Bye&) {
  return object("bye", [](JsonWriter&) {});
}

std::string encode(const MessageSend& send) {
  return object("message.send", [&](JsonWriter& json) {
    json.key("request").number(send.request);
    if (send.conversation) json.key("conversation").string(model::to_text(*send.conversation));
    if (send.to) json.key("to").string(model::to_text(*send.to));
    json.key("client_id").string(model::to_text(send.client_id));
    if (send.previous) json.key("previous").string(model::to_text(*send.previous));
    if (send.until) json.key("until").number(base::to_ms(*send.until));
    json.key("message").begin_object();
    json.key("kind").string(word(send.message.kind)).key("text").string(send.message.text).end_object();
  });
}

std::string encode(const ConversationCreate& create) {
  return object("conversation.create", [&](JsonWriter& json) {
    json.key("request").number(create.request);
    json.key("client_id").string(model::to_text(create.client_id));
    json.key("kind").string(word(create.kind));
    json.key("members").begin_array();
    for (const auto user : create.members) json.string(model::to_text(user));
    json.end_array();
  });
}

std::string encode(const PullFrame& pull) {
  return object("pull", [&](JsonWriter& json) {
    json.key("request").number(pull.request);
    json.key("conversation").string(model::to_text(pull.conversation));
    json.key("after").number(pull.after.value);
    if (pull.check) {
      json.key("check").begin_object().key("seq").number(pull.check->seq.value);
      json.key("id").string(model::to_text(pull.check->id)).end_object();
    }
    if (pull.limit) json.key("limit").number(*pull.limit);
  });
}

std::string encode(const SyncFrame& sync) {
  return object("sync", [&](JsonWriter& json) {
    json.key("request").number(sync.request);
    json.key("from").string(model::to_text(sync.from)).key("to").string(model::to_text(sync.to));
    json.key("vector").begin_array();
    for (const auto& row : sync.vector) {
      json.begin_array().string(model::to_text(row.conversation)).number(row.have.seq.value);
      json.string(model::to_text(row.have.id)).end_array();
    }
    json.end_array();
  });
}

}  // namespace tidings::wire
