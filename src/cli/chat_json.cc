// The view for scripts: one JSON object per line, in and out.
#include <cstdio>
#include <string>

#include "cli/chat_view.h"
#include "wire/json_reader.h"
#include "wire/json_writer.h"

namespace tidings::cli {

namespace {

using client::Connection;

constexpr size_t depth_max = 8;

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
  void opened(const ShownConversation& conversation, const std::vector<ShownMessage>&) override {
    Line("opened")
        .text("with", conversation.with)
        .text("conversation", model::to_text(conversation.conversation))
        .number("head", conversation.events);
  }
  void message(const ShownMessage& message) override {
    Line line("message");
    write(line.json, message);
    line.boolean("history", message.history);
  }
  void pending(const model::ClientId& client_id, const std::string& text) override {
    Line("pending").text("client_id", model::to_text(client_id)).text("text", text);
  }
  void late(const std::string&) override {}
  void sent(const client::Sent& sent, const std::string& text) override {
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
  void list(const std::vector<ShownConversation>& conversations) override {
    Line line("list");
    line.json.key("conversations").begin_array();
    for (const ShownConversation& one : conversations) {
      line.json.begin_object().key("with").string(one.with);
      line.json.key("conversation").string(model::to_text(one.conversation)).key("head").number(one.events);
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
  void help() override {
    Line("help").text("message",
                      R"(One object a line: {"open":HANDLE}, {"send":TEXT}, {"list":true}, {"quit":true})");
  }
  void error(const std::string& sentence) override { Line("error").text("message", sentence); }
  void note(const std::string& sentence) override { Line("note").text("message", sentence); }
  void password(const std::string& password) override { Line("password").text("password", password); }

 private:
  static void write(wire::JsonWriter& json, const ShownMessage& message) {
    json.key("from")
        .string(message.from)
        .key("text")
        .string(message.text)
        .key("seq")
        .number(message.seq.value);
    json.key("id").string(model::to_text(message.id)).key("time").number(base::to_ms(message.time));
    json.key("with").string(message.with).key("conversation").string(model::to_text(message.conversation));
    json.key("own").boolean(message.own);
  }
  std::string handle_, server_;
};

}  // namespace

ChatCommand parse_json_line(const std::string& line) {
  using What = ChatCommand::What;
  if (line.find_first_not_of(" \t\r") == std::string::npos) return {};
  const ChatCommand bad{What::bad,
                        R"(This is none of {"open":HANDLE}, {"send":TEXT}, {"list":true}, {"quit":true}.)"};
  const auto parsed = wire::parse_json(line, depth_max);
  wire::JsonObject object;
  if (!parsed.ok() || parsed->root.get(object) != simdjson::SUCCESS || parsed->is_spoiled(0)) return bad;
  wire::Fields fields(object);
  if (const auto handle = fields.optional_text("open")) return {What::open, std::string(*handle)};
  if (const auto text = fields.optional_text("send")) return {What::send, std::string(*text)};
  if (fields.ok() && fields.optional_boolean("list").value_or(false)) return {What::list, ""};
  if (fields.ok() && fields.optional_boolean("quit").value_or(false)) return {What::quit, ""};
  if (fields.ok() && fields.optional_boolean("help").value_or(false)) return {What::help, ""};
  return bad;
}

std::unique_ptr<ChatView> make_json_view(const std::string& handle, const std::string& server) {
  return std::make_unique<Json>(handle, server);
}

}  // namespace tidings::cli
