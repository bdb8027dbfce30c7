// The view for people: plain lines, with a few colours on a terminal.
#include <cmath>
#include <cstdio>
#include <ctime>
#include <string>

#include <unistd.h>

#include "cli/chat_text.h"
#include "cli/chat_view.h"

namespace tidings::cli {

namespace {

using client::Connection;

constexpr size_t preview_characters = 50;
constexpr std::string_view continuation = "\n        ";

std::string clock_time(base::WallTime time) {
  const auto seconds = static_cast<std::time_t>(base::to_ms(time) / 1000);
  std::tm local{};
  char text[8] = "";
  if (::localtime_r(&seconds, &local)) std::strftime(text, sizeof text, "%H:%M", &local);
  return text;
}

class Lines final : public ChatView {
 public:
  Lines(std::string handle, std::string server, bool colours)
      : handle_(std::move(handle)), server_(std::move(server)), colours_(colours) {}

  void connection(Connection state, std::optional<wire::Code>, base::nanoseconds retry_in) override {
    if (state == Connection::online) {
      if (!was_online_) {
        say(dim("connected to " + server_ + " as " + handle_));
      } else if (told_offline_) {
        say(dim("online again"));
      }
      was_online_ = true;
      told_offline_ = false;
    } else if (state == Connection::offline && retry_in > base::nanoseconds(0) && !told_offline_) {
      const auto seconds = static_cast<long>(std::ceil(std::chrono::duration<double>(retry_in).count()));
      say(dim("offline – trying again in " + std::to_string(seconds) + " s" +
              (opened_ ? "; what you write is kept and sent later" : "")));
      told_offline_ = true;
    }
  }

  void opened(const ShownConversation& conversation, const std::vector<ShownMessage>& recent) override {
    opened_ = true;
    say(dim("— " + conversation.with + " —  write and press Enter; /help for more"));
    for (const ShownMessage& one : recent) say(line_of(one));
  }

  void message(const ShownMessage& message) override {
    if (message.typed_here || message.history) return;
    if (message.open) return say(line_of(message));
    say(line_of(message) + dim("   (" + (message.own ? "to " + message.with + "; " : "") + "/open " +
                               message.with + " to answer)"));
  }

  void pending(const model::ClientId&, const std::string&) override { ++waiting_; }
  void late(const std::string& text) override {
    say(dim("  … not sent yet: " + shortened(printable(text), preview_characters)));
    told_late_ = true;
  }
  void sent(const client::Sent&, const std::string& text) override {
    const bool name_it = waiting_ != 1 || told_late_;
    if (waiting_ > 0 && --waiting_ == 0) told_late_ = false;
    const std::string what =
        text.empty() ? "a message from last time" : shortened(printable(text), preview_characters);
    say(green("  ✓") + (name_it ? dim(" " + what) : ""));
  }
  void failed(const model::ClientId&, const std::string& text, const wire::Problem& why) override {
    if (waiting_ > 0) --waiting_;
    const std::string reason =
        why.detail.empty() ? std::string(wire::row(why.code).sentence) : printable(why.detail);
    complain(red("  ✗ not sent: ") + printable(text, continuation) + red(" – " + reason));
  }
  void renamed(const model::ClientId&, const model::ClientId&) override {}

  void list(const std::vector<ShownConversation>& conversations) override {
    if (conversations.empty()) {
      return say(dim("No conversations yet. Write to somebody with /open HANDLE."));
    }
    for (const ShownConversation& one : conversations) {
      std::string line = bold(one.with);
      if (one.last) {
        line += "  " + dim(clock_time(one.last->time)) + " " + (one.last->own ? "you: " : "") +
                shortened(printable(one.last->text), preview_characters);
      }
      say(line);
    }
    say(dim("/open HANDLE to talk"));
  }

  void reset(const model::ConversationId&, const std::string& with) override {
    say(dim("The server was restored from a copy; the talk with " + with + " is fetched again."));
  }
  void help() override {
    say("/open HANDLE  talk to somebody\n/list         your conversations\n/quit         leave (or Ctrl-D)\n"
        "//text        a message that begins with a slash");
  }
  void error(const std::string& sentence) override { complain(sentence); }
  void note(const std::string& sentence) override { say(dim(sentence)); }
  void password(const std::string& password) override {
    say("Your password, shown only this once: " + bold(password));
  }

 private:
  std::string line_of(const ShownMessage& message) const {
    return dim(clock_time(message.time)) + " " + (message.own ? bold("you") : cyan(message.from)) + ": " +
           printable(message.text, continuation) + (message.own ? green(" ✓") : "");
  }
  std::string paint(const char* code, const std::string& text) const {
    return colours_ ? "\x1b[" + std::string(code) + "m" + text + "\x1b[0m" : text;
  }
  std::string dim(const std::string& text) const { return paint("2", text); }
  std::string bold(const std::string& text) const { return paint("1", text); }
  std::string green(const std::string& text) const { return paint("32", text); }
  std::string red(const std::string& text) const { return paint("31", text); }
  std::string cyan(const std::string& text) const { return paint("1;36", text); }
  // Who keeps the talk in a file still wants to see what went wrong.
  static void complain(const std::string& line) {
    if (::isatty(STDOUT_FILENO) != 0) return say(line);
    std::fputs((line + "\n").c_str(), stderr);
  }
  static void say(const std::string& line) {
    std::fputs((line + "\n").c_str(), stdout);
    std::fflush(stdout);
  }

  std::string handle_, server_;
  bool colours_;
  bool was_online_ = false, opened_ = false, told_offline_ = false, told_late_ = false;
  size_t waiting_ = 0;
};

}  // namespace

ChatCommand parse_line(const std::string& line) {
  using What = ChatCommand::What;
  const size_t begin = line.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return {};
  const std::string text = line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
  if (text[0] != '/') return {What::send, text};
  if (text.starts_with("//")) return {What::send, text.substr(1)};
  const size_t blank = std::min(text.find(' '), text.size());
  const std::string verb = text.substr(0, blank);
  const size_t word = text.find_first_not_of(' ', blank);
  const std::string rest = word == std::string::npos ? "" : text.substr(word);
  if (verb == "/open") {
    if (rest.empty()) return {What::bad, "Whom? Say /open HANDLE."};
    return {What::open, rest[0] == '@' ? rest.substr(1) : rest};
  }
  if (verb == "/list") return {What::list, ""};
  if (verb == "/quit") return {What::quit, ""};
  if (verb == "/help") return {What::help, ""};
  return {What::bad, "There is no " + printable(verb) + "; /help shows what there is."};
}

std::unique_ptr<ChatView> make_lines_view(const std::string& handle, const std::string& server,
                                          bool colours) {
  return std::make_unique<Lines>(handle, server, colours);
}

}  // namespace tidings::cli
