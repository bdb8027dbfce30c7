#include "cli/chat_command.h"
#include "wire/frame_words.h"
#include "wire/json_reader.h"

namespace tidings::cli {

namespace {

using What = ChatCommand::What;

constexpr size_t depth_max = 8;

bool read_people(wire::Fields& fields, std::string_view key, std::vector<std::string>& people) {
  const auto values = fields.array(key);
  if (!values) return false;
  for (const wire::JsonValue value : *values) {
    const auto text = wire::text_of(value);
    if (!text) return false;
    people.emplace_back(*text);
  }
  return true;
}

// Of {"WORD": …}; `nothing` if it has none of the words.
ChatCommand read(wire::Fields& fields) {
  const auto has = [&fields](std::string_view key) { return fields.has(key); };
  ChatCommand out;
  if (has("group") && has("people")) {
    out.what = What::group;
    out.text = fields.text("group");
    if (!read_people(fields, "people", out.people)) out.what = What::nothing;
    return out;
  }
  if (has("add"))
    return read_people(fields, "add", out.people) ? ChatCommand{What::add, "", out.people} : out;
  if (has("role") && has("person")) {
    out = {What::role, std::string(fields.text("role")), {std::string(fields.text("person"))}};
    if (!wire::role_named(out.text)) out.what = What::nothing;
    return out;
  }
  for (const What what : {What::open, What::send, What::rename, What::group}) {
    const std::string word = command_word(what);
    if (has(word)) return {what, std::string(fields.text(word))};
  }
  for (const What what : {What::remove, What::block, What::unblock}) {
    const std::string word = command_word(what);
    if (has(word)) return {what, "", {std::string(fields.text(word))}};
  }
  for (const What what :
       {What::list, What::more, What::info, What::members, What::leave, What::quit, What::help}) {
    if (fields.optional_boolean(command_word(what)).value_or(false)) return {what};
  }
  return out;
}

}  // namespace

std::string json_help() {
  return R"(One object a line: {"open":NAME}, {"send":TEXT}, {"list":true}, {"more":true}, {"info":true}, )"
         R"({"members":true}, {"group":TITLE,"people":[NAME]}, {"add":[NAME]}, {"remove":NAME}, )"
         R"({"role":ROLE,"person":NAME}, {"rename":TITLE}, {"leave":true}, {"block":NAME}, )"
         R"({"unblock":NAME}, {"quit":true})";
}

ChatCommand parse_json_line(const std::string& line) {
  if (line.find_first_not_of(" \t\r") == std::string::npos) return {};
  const ChatCommand bad{What::bad, R"(This is no command; {"help":true} tells what there is.)"};
  const auto parsed = wire::parse_json(line, depth_max);
  wire::JsonObject object;
  if (!parsed.ok() || parsed->root.get(object) != simdjson::SUCCESS || parsed->is_spoiled(0)) return bad;
  wire::Fields fields(object);
  ChatCommand command = read(fields);
  return fields.ok() && command.what != What::nothing ? command : bad;
}

}  // namespace tidings::cli
