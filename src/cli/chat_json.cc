// The view for scripts: one JSON object per line, in and out.
#include <cstdio>
#include <string>

#include "cli/chat_view.h"
#include "wire/json_writer.h"

namespace tidings::cli {

namespace {

using client::Connection;

std::string_view word(Connection state) {
  switch (state) {
    case Connection::offline:
      return "offline";
    case Connection::connecting:
      return "connecting";
    case Connection::syncing:
      return "syncing";
    case Connection::online:
      return "online";
    case Connection::refused:
      return "refused";
  }
  return "offline";
}

// One line of output, written when it goes out of scope.
class Line {
 public:
  explicit Line(std::string_view event) { json.begin_object().key("event").string(event); }
  ~Line() {
    json.end_object();
    text_.push_back('\n');
    std::fputs(text_.c_str(), stdout);
    std::fflush(stdout);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  Line& text(std::string_view key, std::string_view value) {
    json.key(key).string(value);
    return *this;
  }
  Line& number(std::string_view key, uint64_t value) {
    json.key(key).number(value);
    return *this;
  }
  Line& boolean(std::string_view key, bool value) {
    json.key(key).boolean(value);
    return *this;
  }

 private:
  std::string text_;

 public:
  wire::JsonWriter json{text_};
};

class Json final : public ChatView {
 public:
  Json(std::string handle, std::string server) : handle_(std::move(handle)), server_(std::move(server)) {}

  void connection(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) override {
    if (state == Connection::online) {
      Line("connected").text("as", handle_).text("server", server_);
      return;
    }
    Line line("connection");
    line.text("state", word(state));
    if (why) line.text("code", wire::name(*why));
    if (state == Connection::offline) {
      line.number("retry_ms", static_cast<uint64_t>(retry_in / base::milliseconds(1)));
    }
  }
  void opened(const ShownConversation& conversation, const std::vector<ShownMessage>&,
              const std::vector<std::string>&) override {
    Line line("opened");
    write(line.json, conversation);
  }
  void message(const ShownMessage& message) override {
    Line line(message.says.empty() ? "message" : "change");
    write(line.json, message);
    line.boolean("history", message.history);
  }
  void elsewhere(const ShownConversation&) override {}
  void history(const ShownConversation& conversation, const std::vector<ShownMessage>& older) override {
    Line line("history");
    line.text("with", conversation.with).text("conversation", model::to_text(conversation.conversation));
    line.boolean("earlier", conversation.earlier);
    line.json.key("messages").begin_array();
    for (const ShownMessage& one : older) {
      line.json.begin_object();
      write(line.json, one);
      line.json.end_object();
    }
    line.json.end_array();
  }
  void pending(const model::ClientId& client_id, const std::string& text) override {
    Line("pending").text("client_id", model::to_text(client_id)).text("text", text);
  }
  void late(const std::string&) override {}
  void sent(const client::Sent& sent, const std::string& text, bool) override {
    Line line("sent");
    line.text("client_id", model::to_text(sent.client_id))
        .text("conversation", model::to_text(sent.conversation));
    line.number("seq", sent.seq.value).text("id", model::to_text(sent.id));
    line.number("time", static_cast<uint64_t>(base::to_ms(sent.time)));
    if (!text.empty()) line.text("text", text);
  }
  void failed(const model::ClientId& client_id, const std::string& text, const wire::Problem& why) override {
    Line line("failed");
    line.text("client_id", model::to_text(client_id)).text("code", wire::name(why.code));
    line.text("message", why.detail.empty() ? wire::row(why.code).sentence : why.detail);
    line.text("text", text);
  }
  void renamed(const model::ClientId& from, const model::ClientId& to) override {
    Line("renamed").text("from", model::to_text(from)).text("to", model::to_text(to));
  }
  void status(const ShownConversation&, const ShownTicks&) override {}
  void info(const ShownConversation& conversation, const ShownTicks& ticks) override {
    Line line("info");
    line.text("with", conversation.with).text("conversation", model::to_text(conversation.conversation));
    line.text("text", ticks.text);
    write(line.json, ticks);
    names(line.json, "read_by", ticks.read);
    names(line.json, "delivered_to", ticks.delivered);
    names(line.json, "waiting_for", ticks.waiting);
  }
  void marks(const ShownConversation& conversation, const std::vector<ShownMark>& marks,
             const std::optional<ShownTicks>& newest) override {
    Line line("marks");
    line.text("with", conversation.with).text("conversation", model::to_text(conversation.conversation));
    line.number("unread", conversation.unread);
    line.json.key("marks").begin_array();
    for (const ShownMark& one : marks) {
      line.json.begin_object().key("name").string(one.name).key("read").number(one.read.value);
      line.json.key("delivered").number(one.delivered.value).end_object();
    }
    line.json.end_array();
    if (!newest) return;
    line.json.key("newest").begin_object();
    write(line.json, *newest);
    line.json.end_object();
  }
  void members(const ShownConversation& conversation, const std::vector<ShownMember>& members) override {
    Line line("members");
    line.text("with", conversation.with).text("conversation", model::to_text(conversation.conversation));
    line.json.key("members").begin_array();
    for (const ShownMember& one : members) {
      line.json.begin_object().key("name").string(one.name).key("role").string(
          one.role == model::Role::owner   ? "owner"
          : one.role == model::Role::admin ? "admin"
                                           : "member");
      line.json.end_object();
    }
    line.json.end_array();
  }
  void list(const std::vector<ShownConversation>& conversations) override {
    Line line("list");
    line.json.key("conversations").begin_array();
    for (const ShownConversation& one : conversations) {
      line.json.begin_object();
      write(line.json, one);
      if (one.last) {
        line.json.key("last").begin_object();
        write(line.json, *one.last);
        line.json.end_object();
      }
      line.json.end_object();
    }
    line.json.end_array();
  }
  void reset(const model::ConversationId& conversation, const std::string& with) override {
    Line("reset").text("with", with).text("conversation", model::to_text(conversation));
  }
  void help() override { Line("help").text("message", json_help()); }
  void done(ChatCommand::What what, const std::string& sentence, bool duplicate) override {
    Line line("done");
    line.text("command", command_word(what)).boolean("duplicate", duplicate);
    if (!sentence.empty()) line.text("message", sentence);
  }
  void error(const std::string& sentence) override { Line("error").text("message", sentence); }
  void note(const std::string& sentence) override { Line("note").text("message", sentence); }
  void password(const std::string& password) override { Line("password").text("password", password); }

 private:
  static void write(wire::JsonWriter& json, const ShownMessage& message) {
    json.key("from").string(message.from);
    if (message.says.empty()) {
      json.key("text").string(message.text);
    } else {
      json.key("says").string(message.says);
    }
    json.key("seq").number(message.seq.value);
    json.key("id").string(model::to_text(message.id)).key("time").number(base::to_ms(message.time));
    json.key("with").string(message.with).key("conversation").string(model::to_text(message.conversation));
    json.key("own").boolean(message.own);
  }
  static void write(wire::JsonWriter& json, const ShownConversation& one) {
    json.key("with").string(one.with).key("conversation").string(model::to_text(one.conversation));
    json.key("kind").string(one.group ? "group" : "direct").key("head").number(one.events);
    json.key("unread").number(one.unread).key("members").number(one.members);
    json.key("left").boolean(one.left);
  }
  static void write(wire::JsonWriter& json, const ShownTicks& shown) {
    using State = client::Ticks::State;
    const State state = shown.ticks.state();
    json.key("seq")
        .number(shown.seq.value)
        .key("state")
        .string(state == State::read        ? "read"
                : state == State::delivered ? "delivered"
                                            : "sent");
    json.key("read").number(shown.ticks.read).key("delivered").number(shown.ticks.delivered);
    json.key("of").number(shown.ticks.of);
  }
  static void names(wire::JsonWriter& json, std::string_view key, const std::vector<std::string>& people) {
    json.key(key).begin_array();
    for (const std::string& one : people) json.string(one);
    json.end_array();
  }
  std::string handle_, server_;
};

}  // namespace

std::unique_ptr<ChatView> make_json_view(const std::string& handle, const std::string& server) {
  return std::make_unique<Json>(handle, server);
}

}  // namespace tidings::cli
