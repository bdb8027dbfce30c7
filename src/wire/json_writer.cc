#include "wire/json_writer.h"

#include <charconv>

namespace tidings::wire {
namespace {

bool needs_escape(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

void append_escaped(std::string& out, char c) {
  static constexpr char digits[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out.push_back(digits[c >> 4 & 15]);
      out.push_back(digits[c & 15]);
  }
}

template <class N>
void append_number(std::string& out, N n) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, n);
  out.append(digits, end);
}

}  // namespace

void JsonWriter::separate() {
  if (follows_value_) out_.push_back(',');
  follows_value_ = true;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_.push_back(bracket);
  follows_value_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_.push_back(bracket);
  follows_value_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  string(name);
  out_.push_back(':');
  follows_value_ = false;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  out_.push_back('"');
  size_t plain = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!needs_escape(text[i])) continue;
    out_.append(text, plain, i - plain);
    append_escaped(out_, text[i]);
    plain = i + 1;
  }
  out_.append(text, plain, text.size() - plain);
  out_.push_back('"');
  return *this;
}

JsonWriter& JsonWriter::number(uint64_t n) {
  separate();
  append_number(out_, n);
  return *this;
}

JsonWriter& JsonWriter::number(int64_t n) {
  separate();
  append_number(out_, n);
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_.append(json);
  return *this;
}

}  // namespace tidings::wire
