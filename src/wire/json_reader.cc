#include "wire/json_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace tidings::wire {
namespace {

// The four hex digits behind `\u` at `at`, or -1.
int code_unit(std::string_view text, size_t at) {
  if (text.size() < at + 6 || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int unit = 0;
  for (size_t i = at + 2; i < at + 6; ++i) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}
bool is_high(int unit) {
  return unit >= 0xd800 && unit < 0xdc00;
}
bool is_low(int unit) {
  return unit >= 0xdc00 && unit < 0xe000;
}

// Replaces escaped lone surrogates by U+FFFD and lists the elements of the top array that had one: simdjson
// would refuse the whole text, but the other frames of it, and this one's `request`, are still good.
std::vector<size_t> mend_surrogates(char* data, size_t size) {
  const std::string_view text(data, size);
  std::vector<size_t> spoiled;
  const bool in_array = text.substr(std::min(text.find_first_not_of(" \t\r\n"), size)).starts_with('[');
  size_t depth = 0, element = 0;
  bool in_string = false;
  for (size_t i = 0; i < size; ++i) {
    const char c = text[i];
    if (!in_string) {
      if (c == '"') in_string = true;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && depth > 0) --depth;
      if (c == ',' && depth == 1 && in_array) ++element;
      continue;
    }
    if (c == '"') in_string = false;
    if (c != '\\') continue;
    const int unit = code_unit(text, i);
    if (is_high(unit) && is_low(code_unit(text, i + 6))) {
      i += 11;
    } else if (is_high(unit) || is_low(unit)) {
      std::memcpy(data + i, "\\ufffd", 6);
      if (spoiled.empty() || spoiled.back() != element) spoiled.push_back(element);
      i += 5;
    } else {
      ++i;  // whatever is escaped, it ends no string
    }
  }
  return spoiled;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The length of the JSON number at the beginning of `text`, 0 if there is none.
size_t number_size(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - begin;
  };
  const auto skip = [&](std::string_view any) {
    if (at < text.size() && any.find(text[at]) != any.npos) return ++at, true;
    return false;
  };
  skip("-");
  if (!skip("0") && digits() == 0) return 0;
  if (skip(".") && digits() == 0) return 0;
  if (skip("eE")) {
    skip("+-");
    if (digits() == 0) return 0;
  }
  return at;
}

// Whether simdjson can hold it: 64 bits, or a finite double.
bool fits(std::string_view number) {
  const char* end = number.data() + number.size();
  uint64_t positive = 0;
  int64_t negative = 0;
  double any = 0;
  if (number.find_first_of(".eE") != number.npos)
    return std::from_chars(number.data(), end, any).ec == std::errc();
  return number[0] == '-' ? std::from_chars(number.data(), end, negative).ec == std::errc()
                          : std::from_chars(number.data(), end, positive).ec == std::errc();
}

// JSON knows numbers of any size, simdjson only those that fit a machine's. The others become -1, which is
// out of range for every field of ours and as ignorable as they in an unknown one.
void mend_numbers(char* data, size_t size) {
  const std::string_view text(data, size);
  bool in_string = false;
  for (size_t i = 0; i < size; ++i) {
    if (in_string) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '"')
        in_string = false;
    } else if (text[i] == '"') {
      in_string = true;
    } else if (const size_t length = number_size(text.substr(i)); length > 0) {
      if (!fits(text.substr(i, length))) {
        std::memset(data + i, ' ', length);
        std::memcpy(data + i, "-1", 2);
      }
      i += length - 1;
    }
  }
}

bool may_have_surrogates(std::string_view text) {
  return text.find("\\ud") != text.npos || text.find("\\uD") != text.npos;
}

// simdjson does not count an empty innermost object or array, so it cannot be the judge of the depth.
bool is_too_deep(std::string_view text, size_t depth_max) {
  const auto opening = [](char c) { return c == '{' || c == '['; };
  // Counted in bytes, which the compiler does many at a time.
  size_t openings = 0;
  for (size_t at = 0; at < text.size(); at += 128) {
    uint8_t some = 0;
    for (const char c : text.substr(at, 128)) some = static_cast<uint8_t>(some + opening(c));
    openings += some;
  }
  if (openings <= depth_max) return false;
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (opening(c)) {
      if (++depth > depth_max) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

struct Scratch {
  simdjson::dom::parser parser;
  std::string padded;
};

}  // namespace

bool JsonText::is_spoiled(size_t index) const {
  return std::find(spoiled.begin(), spoiled.end(), index) != spoiled.end();
}

base::Result<JsonText, std::string> parse_json(std::string_view text, size_t depth_max) {
  thread_local Scratch scratch;
  auto& [parser, padded] = scratch;
  padded.assign(text);
  padded.append(simdjson::SIMDJSON_PADDING, '\0');
  JsonText out;
  if (may_have_surrogates(text)) out.spoiled = mend_surrogates(padded.data(), text.size());
  if (is_too_deep(text, depth_max)) return base::fail(std::string("The JSON is nested too deeply."));
  // Its own limit bounds its stack, one above the deepest level.
  if (parser.max_depth() != depth_max + 1 &&
      parser.allocate(std::max<size_t>(text.size(), 4096), depth_max + 1) != simdjson::SUCCESS) {
    return base::fail(std::string("Out of memory."));
  }
  auto error = parser.parse(padded.data(), text.size(), false).get(out.root);
  if (error == simdjson::NUMBER_ERROR) {
    mend_numbers(padded.data(), text.size());
    error = parser.parse(padded.data(), text.size(), false).get(out.root);
  }
  if (error == simdjson::DEPTH_ERROR) return base::fail(std::string("The JSON is nested too deeply."));
  if (error == simdjson::UTF8_ERROR) return base::fail(std::string("The text is not UTF-8."));
  if (error != simdjson::SUCCESS) return base::fail(std::string("This is not JSON."));
  return out;
}

void Fields::complain(std::string_view name, std::string_view what) {
  if (!complaint_.empty()) return;
  complaint_.append(name).append(" ").append(what).append(".");
}

std::optional<JsonValue> Fields::find(std::string_view name) const {
  JsonValue value;
  if (object_.at_key(name).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return value;
}

bool Fields::has(std::string_view name) const {
  return find(name).has_value();
}

bool Fields::is_true(std::string_view name) const {
  const auto value = find(name);
  bool yes = false;
  return value && value->get(yes) == simdjson::SUCCESS && yes;
}

std::optional<std::string_view> Fields::optional_text(std::string_view name) {
  const auto value = find(name);
  if (!value) return std::nullopt;
  const auto text = text_of(*value);
  if (!text) complain(name, "is not a string");
  return text;
}

std::string_view Fields::text(std::string_view name) {
  return needed(name, optional_text(name));
}

std::optional<uint64_t> Fields::optional_number(std::string_view name) {
  const auto value = find(name);
  if (!value) return std::nullopt;
  const auto number = number_of(*value);
  if (!number) complain(name, "is not a whole number from 0 to 2^53-1");
  return number;
}

uint64_t Fields::number(std::string_view name) {
  return needed(name, optional_number(name));
}

std::optional<bool> Fields::optional_boolean(std::string_view name) {
  const auto value = find(name);
  bool yes = false;
  if (!value) return std::nullopt;
  if (value->get(yes) != simdjson::SUCCESS) return complain(name, "is neither true nor false"), std::nullopt;
  return yes;
}

std::optional<JsonObject> Fields::optional_object(std::string_view name) {
  const auto value = find(name);
  JsonObject object;
  if (!value) return std::nullopt;
  if (value->get(object) != simdjson::SUCCESS) return complain(name, "is not an object"), std::nullopt;
  return object;
}

std::optional<JsonArray> Fields::optional_array(std::string_view name) {
  const auto value = find(name);
  JsonArray array;
  if (!value) return std::nullopt;
  if (value->get(array) != simdjson::SUCCESS) return complain(name, "is not an array"), std::nullopt;
  return array;
}

std::optional<JsonArray> Fields::array(std::string_view name) {
  auto array = optional_array(name);
  if (!array) complain(name, "is missing");
  return array;
}

std::optional<std::string_view> text_of(JsonValue value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

std::optional<uint64_t> number_of(JsonValue value) {
  uint64_t number = 0;
  if (!value.is<uint64_t>() || value.get(number) != simdjson::SUCCESS || number >= json_number_end) {
    return std::nullopt;
  }
  return number;
}

}  // namespace tidings::wire
