// Frames from clients, as client/cpp writes them.
#include "wire/frame_fields.h"
#include "wire/frames.h"

namespace tidings::wire {
namespace {

std::string object(std::string_view type, auto write) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("type").string(type);
  write(json);
  json.end_object();
  return out;
}

// What all commands in a conversation begin with.
template <class Frame>
std::string command(std::string_view type, const Frame& frame, auto write) {
  return object(type, [&](JsonWriter& json) {
    json.key("request").number(frame.request);
    write_id(json, "conversation", frame.conversation);
    write_id(json, "client_id", frame.client_id);
    write(json);
  });
}

}  // namespace

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
    if (hello.session) json.key("session").string(*hello.session);
    if (hello.resume) json.key("resume").string(*hello.resume);
    if (hello.received) json.key("received").number(*hello.received);
    if (hello.branch) json.key("branch").string(*hello.branch);
    if (!hello.newest) return;
    json.key("newest").begin_object();
    write_id(json, "conversation", hello.newest->conversation);
    json.key("seq").number(hello.newest->event.seq.value);
    json.key("id").id(hello.newest->event.id).end_object();
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
    if (send.conversation) write_id(json, "conversation", *send.conversation);
    if (send.to) write_id(json, "to", *send.to);
    write_id(json, "client_id", send.client_id);
    if (send.previous) write_id(json, "previous", *send.previous);
    if (send.until) json.key("until").number(base::to_ms(*send.until));
    json.key("message").begin_object();
    json.key("kind").string(word(send.message.kind)).key("text").string(send.message.text).end_object();
  });
}

std::string encode(const ConversationCreate& create) {
  return object("conversation.create", [&](JsonWriter& json) {
    json.key("request").number(create.request);
    write_id(json, "client_id", create.client_id);
    json.key("kind").string(word(create.kind));
    write_users(json, "members", create.members);
    if (create.kind != model::ConversationKind::group) return;
    json.key("title").string(create.title).key("history").string(word(create.history));
  });
}

std::string encode(const ConversationUpdate& update) {
  return command("conversation.update", update, [&](JsonWriter& json) {
    if (update.title) json.key("title").string(*update.title);
    if (update.history) json.key("history").string(word(*update.history));
  });
}

std::string encode(const ConversationLeave& leave) {
  return command("conversation.leave", leave, [](JsonWriter&) {});
}

std::string encode(const MemberAdd& add) {
  return command("member.add", add, [&](JsonWriter& json) { write_users(json, "users", add.users); });
}

std::string encode(const MemberRemove& remove) {
  return command("member.remove", remove, [&](JsonWriter& json) { write_id(json, "user", remove.user); });
}

std::string encode(const MemberRole& change) {
  return command("member.role", change, [&](JsonWriter& json) {
    write_id(json, "user", change.user);
    json.key("role").string(word(change.role));
  });
}

std::string encode(const BlockFrame& block) {
  return object("block.set", [&](JsonWriter& json) {
    json.key("request").number(block.request);
    write_id(json, "client_id", block.client_id);
    write_id(json, "user", block.user);
    json.key("blocked").boolean(block.blocked);
  });
}

std::string encode(const MarkFrame& mark) {
  return object("mark", [&](JsonWriter& json) {
    if (mark.request) json.key("request").number(*mark.request);
    write_id(json, "conversation", mark.conversation);
    if (mark.read) {
      write_cursor(json, "read", *mark.read);
      json.key("read_ord").number(mark.read_ord.value);
    }
    if (mark.delivered) json.key("delivered").number(mark.delivered->value);
    if (mark.hidden) json.key("private").boolean(true);
  });
}

std::string encode(const FocusFrame& focus) {
  return object("focus", [&](JsonWriter& json) {
    json.key("conversation");
    if (focus.conversation)
      json.id(*focus.conversation);
    else
      json.null();
  });
}

std::string encode(const HistoryFrame& history) {
  return object("history", [&](JsonWriter& json) {
    json.key("request").number(history.request);
    write_id(json, "conversation", history.conversation);
    json.key(word(history.place)).number(history.seq.value);
    if (history.have) write_cursor(json, "have", *history.have);
    if (history.limit) json.key("limit").number(*history.limit);
  });
}

std::string encode(const PullFrame& pull) {
  return object("pull", [&](JsonWriter& json) {
    json.key("request").number(pull.request);
    write_id(json, "conversation", pull.conversation);
    json.key("after").number(pull.after.value);
    if (pull.check) write_cursor(json, "check", *pull.check);
    if (pull.limit) json.key("limit").number(*pull.limit);
  });
}

std::string encode(const SyncFrame& sync) {
  return object("sync", [&](JsonWriter& json) {
    json.key("request").number(sync.request);
    json.key("from").id(sync.from).key("to").id(sync.to);
    json.key("vector").begin_array();
    for (const auto& row : sync.vector) {
      json.begin_array().id(row.conversation).number(row.have.seq.value);
      json.id(row.have.id);
      if (row.mark_count) json.number(*row.mark_count);
      json.end_array();
    }
    json.end_array();
    if (sync.activity) write_id(json, "activity", *sync.activity);
  });
}

}  // namespace tidings::wire
