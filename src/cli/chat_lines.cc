// The view for people: plain lines, with a few colours on a terminal.
#include <cmath>
#include <cstdio>
#include <ctime>
#include <set>
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

  void connection(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) override {
    if (state == Connection::online) {
      if (!was_online_) {
        say(dim("connected to " + server_ + " as " + handle_));
      } else if (!told_states_.empty()) {
        say(dim("online again"));
      }
      was_online_ = true;
      told_states_.clear();
      return;
    }
    // Each once, however often it is tried.
    const std::string what = words_for(state, why);
    if (what.empty() || !told_states_.insert(what).second) return;
    const auto seconds = static_cast<long>(std::ceil(std::chrono::duration<double>(retry_in).count()));
    const bool waits = state == Connection::offline && why != wire::Code::draining && seconds > 0;
    const bool keeps = opened_ && state != Connection::syncing;
    say(dim(what + (waits ? " in " + std::to_string(seconds) + " s" : "") +
            (keeps ? "; what you write is kept and sent later" : "")));
  }

  void opened(const ShownConversation& conversation, const std::vector<ShownMessage>& recent,
              const std::vector<std::string>& pending) override {
    opened_ = true;
    std::string people;
    if (conversation.group)
      people = conversation.left ? ", which you have left"
                                 : ", " + counted(conversation.members, "person", "people");
    say(dim("— " + name_of(conversation) + people + " —" +
            (told_how_ ? "" : "  write and press Enter; /help for more")));
    told_how_ = true;
    if (conversation.earlier) say(dim("  (/more shows what was said before)"));
    for (const ShownMessage& one : recent) {
      if (conversation.new_from.value > 0 && one.seq == conversation.new_from) say(dim("  — new —"));
      say(line_of(one));
    }
    for (const std::string& text : pending)
      say(dim("  …   ") + bold("you") + ": " + printable(text, continuation) + dim("  (not sent yet)"));
  }

  void message(const ShownMessage& message) override {
    if (message.typed_here || message.history) return;
    say(line_of(message));
    ++lines_since_typed_;
  }

  void elsewhere(const ShownConversation& conversation) override {
    std::string what;
    if (const auto& last = conversation.last) {
      const std::string text = shortened(printable(last->text), preview_characters);
      if (!last->says.empty()) {
        what = printable(conversation.with) + ": " + last->says;
      } else if (conversation.group) {
        what = printable(conversation.with) + ", " + last->from + ": " + text;
      } else {
        what = last->from + ": " + text;
      }
    } else {
      what = "you are in the group " + printable(conversation.with) + " now";
    }
    say(dim("  » " + what + "   (" +
            (conversation.unread > 0 ? std::to_string(conversation.unread) + " unread; " : "") + "/open " +
            printable(conversation.with) + ")"));
    ++lines_since_typed_;
  }

  void history(const ShownConversation& conversation, const std::vector<ShownMessage>& older) override {
    if (older.empty()) return say(dim("  This is the beginning of " + name_of(conversation) + "."));
    say(dim("  — earlier —"));
    for (const ShownMessage& one : older) say(line_of(one));
    say(dim(conversation.earlier ? "  — /more for still earlier ones —" : "  — that was the beginning —"));
    ++lines_since_typed_;
  }

  void pending(const model::ClientId&, const std::string&) override { lines_since_typed_ = 0; }
  void late(const std::string& text) override {
    say(dim("  … not sent yet: " + shortened(printable(text), preview_characters)));
    ++lines_since_typed_;
  }
  void sent(const client::Sent&, const std::string& text, bool followed) override {
    if (followed) return;
    const std::string what =
        text.empty() ? "a message from last time" : shortened(printable(text), preview_characters);
    say(green("  ✓") + dim(" sent: " + what));
    ++lines_since_typed_;
  }
  void status(const ShownConversation& conversation, const ShownTicks& ticks) override {
    const bool name_it = lines_since_typed_ > 0;
    say("  " + ticks_text(ticks.ticks, conversation.group) + dim(word_of(ticks.ticks)) +
        (name_it ? dim(": " + shortened(printable(ticks.text), preview_characters)) : ""));
  }
  void failed(const model::ClientId&, const std::string& text, const wire::Problem& why) override {
    const std::string reason =
        why.detail.empty() ? std::string(wire::row(why.code).sentence) : printable(why.detail);
    complain(red("  ✗ not sent: ") + printable(text, continuation) + red(" – " + reason));
  }
  void renamed(const model::ClientId&, const model::ClientId&) override {}

  void info(const ShownConversation& conversation, const ShownTicks& shown) override {
    say(dim("  Your message: ") + shortened(printable(shown.text), preview_characters));
    const auto some = [](const char* what, const std::vector<std::string>& people) {
      if (people.empty()) return;
      std::string line = what;
      for (const std::string& one : people) line += (&one == people.data() ? " " : ", ") + one;
      say("  " + line);
    };
    some("read by", shown.read);
    some("delivered to", shown.delivered);
    some("not yet delivered to", shown.waiting);
    if (shown.read.empty() && shown.delivered.empty() && shown.waiting.empty())
      say("  " + ticks_text(shown.ticks, conversation.group) + dim(word_of(shown.ticks)));
  }
  void marks(const ShownConversation&, const std::vector<ShownMark>&,
             const std::optional<ShownTicks>&) override {}
  void members(const ShownConversation& conversation, const std::vector<ShownMember>& members) override {
    say(dim(name_of(conversation) + ": " + counted(members.size(), "person", "people")));
    for (const ShownMember& one : members) {
      say("  " + bold(one.name) + (one.self ? " (you)" : "") +
          dim(one.role == model::Role::owner   ? ", owner"
              : one.role == model::Role::admin ? ", admin"
                                               : ""));
    }
  }

  void list(const std::vector<ShownConversation>& conversations) override {
    if (conversations.empty()) {
      return say(
          dim("No conversations yet. Write to somebody with /open NAME, or make a group with\n"
              "/group TITLE @NAME @NAME."));
    }
    for (size_t i = 0; i < conversations.size(); ++i) {
      const ShownConversation& one = conversations[i];
      std::string line = dim((i < 9 ? "  " : " ") + std::to_string(i + 1) + "  ") + bold(name_of(one));
      if (one.group && !one.left) line += dim(", " + counted(one.members, "person", "people"));
      if (one.left) line += dim(" (left)");
      if (one.unread > 0) line += "  " + cyan(std::to_string(one.unread) + " unread");
      if (one.last) line += dim("   " + clock_time(one.last->time) + " ") + preview(*one.last);
      say(line);
    }
    say(dim("/open NAME or NUMBER to talk"));
  }

  void reset(const model::ConversationId&, const std::string& with) override {
    say(dim("The server was restored from a copy; the talk with " + with + " is fetched again."));
  }
  void help() override { say(lines_help()); }
  void done(ChatCommand::What, const std::string& sentence, bool) override {
    if (!sentence.empty()) say(dim("  " + sentence));
  }
  void error(const std::string& sentence) override { complain(sentence); }
  void note(const std::string& sentence) override { say(dim(sentence)); }
  void password(const std::string& password) override {
    say("Your password, shown only this once: " + bold(password));
  }

 private:
  static std::string counted(uint64_t n, const char* one, const char* more) {
    return std::to_string(n) + " " + (n == 1 ? one : more);
  }
  static std::string name_of(const ShownConversation& conversation) {
    return (conversation.group ? "" : "@") + printable(conversation.with);
  }
  std::string line_of(const ShownMessage& message) const {
    const std::string time = dim(clock_time(message.time));
    if (!message.says.empty()) return time + dim(" · " + message.says);
    return time + " " + (message.own ? bold("you") : cyan(message.from)) + ": " +
           printable(message.text, continuation) +
           (message.ticks ? "  " + ticks_text(*message.ticks, message.group) : "");
  }
  static std::string preview(const ShownMessage& message) {
    if (!message.says.empty()) return message.says;
    return (message.own     ? "you: "
            : message.group ? message.from + ": "
                            : "") +
           shortened(printable(message.text), preview_characters);
  }
  // Where the ticks stand alone.
  static std::string word_of(const client::Ticks& ticks) {
    if (ticks.read > 0) return "";
    return ticks.of > 0 && ticks.delivered >= ticks.of ? " delivered" : " sent";
  }
  std::string ticks_text(const client::Ticks& ticks, bool group) const {
    if (ticks.of > 0 && ticks.read >= ticks.of)
      return green(group && ticks.of > 1 ? "✓✓ read by all " + std::to_string(ticks.of) : "✓✓ read");
    const bool delivered = ticks.of > 0 && ticks.delivered >= ticks.of;
    std::string out = green(delivered ? "✓✓" : "✓");
    if (group && ticks.read > 0)
      out += dim(" read by " + std::to_string(ticks.read) + " of " + std::to_string(ticks.of));
    return out;
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
  std::string words_for(Connection state, std::optional<wire::Code> why) const {
    const bool busy = why == wire::Code::busy || why == wire::Code::rate_limited;
    switch (state) {
      case Connection::connecting:
        if (!was_online_ && told_states_.empty()) return "connecting to " + server_;
        [[fallthrough]];
      case Connection::offline:
        if (why == wire::Code::draining) return "the server is going down – reconnecting";
        return busy ? "the server is busy – trying again" : "offline – trying again";
      case Connection::syncing:
        return "catching up";
      default:
        return "";
    }
  }

  std::set<std::string> told_states_;  // of this outage
  bool was_online_ = false, opened_ = false, told_how_ = false;
  size_t lines_since_typed_ = 0;
};

}  // namespace

std::unique_ptr<ChatView> make_lines_view(const std::string& handle, const std::string& server,
                                          bool colours) {
  return std::make_unique<Lines>(handle, server, colours);
}

}  // namespace tidings::cli
