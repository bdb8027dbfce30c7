// What one can ask `tidings chat` for: one line that somebody typed, or one JSON object of a script.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tidings::cli {

struct ChatCommand {
  enum class What {
    open,
    send,
    list,
    more,
    info,
    members,
    group,
    add,
    remove,
    leave,
    role,
    rename,
    block,
    unblock,
    quit,
    help,
    bad,
    nothing
  };
  What what = What::nothing;
  // The message; what to open; the title; the role; or what is wrong with the line.
  std::string text = {};
  // Handles. Of `open`: it is a person and no group.
  std::vector<std::string> people = {};
  uint64_t count = 0;  // of `more`; 0: as many as usual
};

ChatCommand parse_line(const std::string& line);
ChatCommand parse_json_line(const std::string& line);

// The word for it in JSON, which with a slash is the one to type.
std::string command_word(ChatCommand::What what);
// All of them, a line each.
std::string lines_help();
std::string json_help();

}  // namespace tidings::cli
