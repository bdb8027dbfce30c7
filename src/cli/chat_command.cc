#include "cli/chat_command.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>
#include <utility>

#include "cli/chat_text.h"
#include "model/ids.h"

namespace tidings::cli {

namespace {

using What = ChatCommand::What;

struct Verb {
  What what;
  std::string_view name, arguments, help;
};
constexpr std::array verbs{
    Verb{What::list, "/list", "", "your conversations, with what you have not read"},
    Verb{What::open, "/open", "NAME",
         "a person, the title of a group, or a number of /list;\n"
         "without NAME: where the newest unread message is"},
    Verb{What::more, "/more", "", "earlier messages of this conversation"},
    Verb{What::info, "/info", "", "who has read your newest message here"},
    Verb{What::group, "/group", "TITLE @NAME …", "make a group with these people, and open it"},
    Verb{What::members, "/members", "", "who is in this group"},
    Verb{What::add, "/add", "@NAME …", "add people to this group"},
    Verb{What::remove, "/remove", "@NAME", "take somebody out of this group"},
    Verb{What::role, "/role", "@NAME ROLE", "make somebody an admin, an owner, or a member again"},
    Verb{What::rename, "/rename", "TITLE", "give this group another title"},
    Verb{What::leave, "/leave", "", "leave this group"},
    Verb{What::block, "/block", "@NAME", "this person cannot write to you any more"},
    Verb{What::unblock, "/unblock", "@NAME", "and now again"},
    Verb{What::help, "/help", "", "this"},
    Verb{What::quit, "/quit", "", "end the program (or Ctrl-D)"},
};
constexpr std::string_view text_help = "//text";
constexpr size_t help_column = 24;
constexpr size_t far_off = 3;

size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

std::string_view nearest(std::string_view word) {
  std::string_view best;
  size_t least = far_off;
  if (word.size() > 20) return best;
  for (const Verb& verb : verbs) {
    const bool begins = word.size() > 1 && verb.name.starts_with(word);
    const size_t off = begins ? 1 : distance(word, verb.name);
    if (off >= least) continue;
    least = off;
    best = verb.name;
  }
  return best;
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (size_t at = 0; (at = text.find_first_not_of(' ', at)) != std::string::npos;) {
    const size_t end = std::min(text.find(' ', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

std::string without_at(const std::string& word) {
  return word[0] == '@' ? word.substr(1) : word;
}

ChatCommand bad(std::string sentence) {
  return {What::bad, std::move(sentence)};
}

// What was written behind the verb.
ChatCommand with_arguments(What what, const std::string& rest) {
  const auto words = words_of(rest);
  ChatCommand out{what};
  switch (what) {
    case What::open:
      out.text = rest.empty() || rest[0] != '@' ? rest : rest.substr(1);
      if (!rest.empty() && rest[0] == '@') out.people = {out.text};
      return out;
    case What::group:
      for (const std::string& word : words) {
        if (word[0] == '@' && word.size() > 1) {
          out.people.push_back(word.substr(1));
        } else {
          out.text += (out.text.empty() ? "" : " ") + word;
        }
      }
      if (out.text.empty()) return bad("What is it called? Say /group TITLE @NAME …");
      return out;
    case What::add:
      for (const std::string& word : words) out.people.push_back(without_at(word));
      if (words.empty()) return bad("Whom? Say /add @NAME.");
      return out;
    case What::remove:
    case What::block:
    case What::unblock:
      if (words.size() != 1) return bad("Whom? Say /" + command_word(what) + " @NAME.");
      out.people = {without_at(words[0])};
      return out;
    case What::role: {
      const bool two = words.size() == 2;
      const bool turned = two && words[1][0] == '@';
      if (two) {
        out.text = words[turned ? 0 : 1];
        out.people = {without_at(words[turned ? 1 : 0])};
      }
      if (out.text != "admin" && out.text != "member" && out.text != "owner")
        return bad("Say /role @NAME admin, /role @NAME member or /role @NAME owner.");
      return out;
    }
    case What::rename:
      if (rest.empty()) return bad("How shall it be called? Say /rename TITLE.");
      out.text = rest;
      return out;
    case What::more:
      out.count = words.empty() ? 0 : model::parse_decimal(words[0]).value_or(0);
      return out;
    default:
      return out;
  }
}

}  // namespace

ChatCommand parse_line(const std::string& line) {
  const size_t begin = line.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return {};
  const std::string text = line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin);
  if (text[0] != '/') return {What::send, text};
  if (text.starts_with("//")) return {What::send, text.substr(1)};
  const size_t blank = std::min(text.find(' '), text.size());
  const std::string word = text.substr(0, blank);
  const size_t behind = text.find_first_not_of(' ', blank);
  const std::string rest = behind == std::string::npos ? "" : text.substr(behind);
  const auto verb =
      std::find_if(verbs.begin(), verbs.end(), [&word](const Verb& one) { return one.name == word; });
  if (verb != verbs.end()) return with_arguments(verb->what, rest);
  const std::string_view meant = nearest(word);
  return bad("There is no " + shortened(printable(word), 20) + "; " +
             (meant.empty() ? "" : "did you mean " + std::string(meant) + "? ") +
             "/help shows what there is.");
}

std::string command_word(What what) {
  for (const Verb& verb : verbs) {
    if (verb.what == what) return std::string(verb.name.substr(1));
  }
  return "send";
}

std::string lines_help() {
  std::string out = "What you write goes to the open conversation when you press Enter. Besides:";
  const auto line = [&out](std::string left, std::string_view help) {
    size_t width = 0;  // in characters: "…" has three bytes
    for (const char c : left) width += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
    out += "\n" + left + std::string(width < help_column ? help_column - width : 1, ' ');
    for (const char c : help) out += c == '\n' ? "\n" + std::string(help_column, ' ') : std::string(1, c);
  };
  for (const Verb& verb : verbs) {
    line(std::string(verb.name) + (verb.arguments.empty() ? "" : " ") + std::string(verb.arguments),
         verb.help);
  }
  line(std::string(text_help), "a message that begins with a slash");
  return out + "\n✓ it is safe on the server   ✓✓ everybody has it   read: everybody has seen it";
}

}  // namespace tidings::cli
