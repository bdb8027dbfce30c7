// JSON (wire/json_reader.h, json_writer.h) against a second, slow and simple reader of RFC 8259.
#include "test/fuzz/target.h"
#include "wire/json_reader.h"
#include "wire/json_writer.h"

namespace tidings::fuzz {
namespace {

using namespace wire;

// Whether a text is JSON by the letter of the grammar, and how deep it goes.
class Grammar {
 public:
  explicit Grammar(std::string_view text) : text_(text) {}
  bool ok() {
    const bool good = value(0);
    space();
    return good && at_ == text_.size();
  }
  size_t depth() const { return depth_; }

 private:
  bool is(std::string_view any) const { return at_ < text_.size() && any.find(text_[at_]) != any.npos; }
  bool take(std::string_view any) { return is(any) && ++at_; }
  bool word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void space() {
    while (take(" \t\r\n")) {
    }
  }
  bool digits() {
    const size_t begin = at_;
    while (take("0123456789")) {
    }
    return at_ > begin;
  }
  bool number() {
    take("-");
    if (!take("0") && !digits()) return false;
    if (take(".") && !digits()) return false;
    if (!take("eE")) return true;
    take("+-");
    return digits();
  }
  bool string() {
    if (!take("\"")) return false;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (static_cast<uint8_t>(text_[at_]) < 0x20) return false;
      if (text_[at_++] != '\\') continue;
      if (take("u")) {
        for (int i = 0; i < 4; ++i) {
          if (!take("0123456789abcdefABCDEF")) return false;
        }
      } else if (!take("\"\\/bfnrt")) {
        return false;
      }
    }
    return take("\"");
  }
  bool value(size_t outside) {
    if (outside > 64) return false;
    depth_ = std::max(depth_, outside);
    space();
    if (is("{[")) {
      const bool object = text_[at_++] == '{';
      depth_ = std::max(depth_, outside + 1);
      const std::string_view end = object ? "}" : "]";
      space();
      if (take(end)) return true;
      do {
        space();
        if (object) {
          if (!string()) return false;
          space();
          if (!take(":")) return false;
        }
        if (!value(outside + 1)) return false;
        space();
      } while (take(","));
      return take(end);
    }
    if (is("\"")) return string();
    return word("true") || word("false") || word("null") || number();
  }

  std::string_view text_;
  size_t at_ = 0, depth_ = 0;
};

void write(JsonWriter& out, JsonValue value) {
  using Type = simdjson::dom::element_type;
  switch (value.type()) {
    case Type::OBJECT:
      out.begin_object();
      for (const auto field : JsonObject(value)) {
        out.key(field.key);
        write(out, field.value);
      }
      out.end_object();
      break;
    case Type::ARRAY:
      out.begin_array();
      for (const auto one : JsonArray(value)) write(out, one);
      out.end_array();
      break;
    case Type::STRING:
      out.string(*text_of(value));
      break;
    case Type::INT64:
      out.number(int64_t(value));
      break;
    case Type::UINT64:
      out.number(uint64_t(value));
      break;
    case Type::BOOL:
      out.boolean(bool(value));
      break;
    default:  // a broken number is written by nobody
      out.null();
  }
}

std::string written(const JsonText& text) {
  std::string out;
  JsonWriter writer(out);
  write(writer, text.root);
  return out;
}

}  // namespace

void feed(std::string_view bytes) {
  Dice dice(bytes);
  const size_t depth_max = dice.byte() % 20 + 1;
  const std::string_view text = dice.rest();
  const auto parsed = parse_json(text, depth_max);
  Grammar grammar(text);
  const bool good =
      grammar.ok() && grammar.depth() <= depth_max && simdjson::validate_utf8(text.data(), text.size());
  must(parsed.ok() == good, good ? "JSON is taken" : "what is no JSON is refused");
  if (!parsed.ok()) {
    must(!parsed.error().empty(), "a refusal is a sentence");
    return;
  }
  const std::string first = written(*parsed);
  must(simdjson::validate_utf8(first.data(), first.size()), "what is written is UTF-8");
  const auto again = parse_json(first, depth_max);
  must(again.ok() && again->spoiled.empty(), "what is written is read");
  must(written(*again) == first, "what is written and read again is the same");
}

std::vector<std::string> seeds() {
  std::vector<std::string> out;
  for (const char* text :
       {"{}",
        "[]",
        "null",
        "true",
        "\"x\"",
        "0",
        "-0",
        "1.5e-3",
        "1e400",
        "123456789012345678901234567890",
        "-9223372036854775808",
        "18446744073709551615",
        "9007199254740993",
        R"({"a":[1,{"b":null}],"a":2,"":"\u0000"})",
        R"(["\ud83d\ude00","\ud83d","\ude00\ud83d","\\ud83d","\"\\","\u00e9\/\b\f\n\r\t"])",
        "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
        "[1,]",
        "{\"a\":}",
        "[\"\xc3\xbc\xf0\x9f\x95\x8a\"]",
        "[\"\xc3\"]",
        " [ 1 , 2 ] ",
        "01",
        "[1] x",
        "nul",
        "\"\x01\"",
        R"([1e99999,-1e99999,"1e99999"])"}) {
    for (const char depth : {'\x0f', '\x01'}) out.push_back(std::string(1, depth) + text);
  }
  return out;
}

}  // namespace tidings::fuzz
