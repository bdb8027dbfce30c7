#include "wire/json_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace tidings::wire {
namespace {

// Two digits a byte.
constexpr auto hex_pairs = [] {
  constexpr char digits[] = "0123456789abcdef";
  std::array<char, 512> pairs{};
  for (size_t byte = 0; byte < 256; ++byte) {
    pairs[2 * byte] = digits[byte >> 4];
    pairs[2 * byte + 1] = digits[byte & 15];
  }
  return pairs;
}();

// How many bytes at the front need no escape, a multiple of eight: none is below 0x20, a quote or a
// backslash. Each term has a byte's highest bit set where that byte is one of them.
size_t plain_prefix(std::string_view text) {
  constexpr uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
  const auto zeros = [](uint64_t n) { return (n - ones) & ~n; };
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t n;
    std::memcpy(&n, text.data() + at, 8);
    const uint64_t control = (n - ones * 0x20) & ~n;
    if (((control | zeros(n ^ ones * '"') | zeros(n ^ ones * '\\')) & high) != 0) break;
  }
  return at;
}

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
  out.append(digits, static_cast<size_t>(end - digits));
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
  // Put together here and appended once.
  char text[64];
  char* at = text;
  if (follows_value_) *at++ = ',';
  *at++ = '"';
  if (name.size() > sizeof text - 4) {
    out_.append(text, static_cast<size_t>(at - text)).append(name);
    at = text;
  } else {
    at = std::copy(name.begin(), name.end(), at);
  }
  *at++ = '"';
  *at++ = ':';
  out_.append(text, static_cast<size_t>(at - text));
  follows_value_ = false;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  out_.push_back('"');
  size_t plain = 0;
  for (size_t i = plain_prefix(text); i < text.size(); ++i) {
    if (!needs_escape(text[i])) continue;
    out_.append(text, plain, i - plain);
    append_escaped(out_, text[i]);
    plain = i + 1;
    i += plain_prefix(text.substr(plain));
  }
  out_.append(text, plain, text.size() - plain);
  out_.push_back('"');
  return *this;
}

JsonWriter& JsonWriter::uuid(const std::array<uint8_t, 16>& bytes) {
  separate();
  char text[38];
  char* at = text;
  *at++ = '"';
  for (size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    std::memcpy(at, &hex_pairs[2 * static_cast<size_t>(bytes[i])], 2);
    at += 2;
  }
  *at = '"';
  out_.append(text, sizeof text);
  return *this;
}

JsonWriter& JsonWriter::decimal(uint64_t n) {
  separate();
  char text[24];
  text[0] = '"';
  char* const end = std::to_chars(text + 1, text + sizeof text - 1, n).ptr;
  *end = '"';
  out_.append(text, static_cast<size_t>(end + 1 - text));
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
