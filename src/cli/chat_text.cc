#include "cli/chat_text.h"

#include <cstdint>

namespace tidings::cli {

namespace {

// The character at the front and its length in bytes; 0xFFFFFFFF and 1 if it is not UTF-8.
struct Character {
  uint32_t code;
  size_t bytes;
};
Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t bytes = lead >= 0xf0 && lead < 0xf8 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (bytes == 0 || lead >= 0xf8 || text.size() < bytes) return {0xffffffff, 1};
  uint32_t code = lead & (0xffu >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0xffffffff, 1};
    code = code << 6 | (byte(i) & 0x3f);
  }
  return {code, bytes};
}

bool reorders(uint32_t code) {
  return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0x200e ||
         code == 0x200f || code == 0x061c;
}

// Bytes of the escape sequence that begins behind an ESC: CSI, OSC and the like up to their end, others of
// one letter.
size_t escape_bytes(std::string_view rest) {
  if (rest.empty()) return 0;
  if (rest[0] == '[') {
    size_t i = 1;
    while (i < rest.size() && rest[i] >= 0x20 && rest[i] <= 0x3f) ++i;
    return i < rest.size() && rest[i] >= 0x40 ? i + 1 : i;
  }
  if (rest[0] == ']' || rest[0] == 'P' || rest[0] == '_' || rest[0] == '^' || rest[0] == 'X') {
    for (size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] == '\a') return i + 1;
      if (rest[i] == '\x1b') return i + 1 < rest.size() && rest[i + 1] == '\\' ? i + 2 : i;
    }
    return rest.size();
  }
  return rest[0] >= 0x20 && rest[0] < 0x7f ? 1 : 0;
}

}  // namespace

std::string printable(std::string_view text, std::string_view line_break) {
  std::string out;
  while (!text.empty()) {
    const auto [code, bytes] = first_character(text);
    const std::string_view whole = text.substr(0, bytes);
    text.remove_prefix(bytes);
    if (code == 0x1b) {
      text.remove_prefix(escape_bytes(text));
    } else if (code == '\n' || code == 0x2028 || code == 0x2029) {
      out += line_break;
    } else if (code == '\t') {
      out += ' ';
    } else if (code == 0xffffffff) {
      out += '?';
    } else if (code >= 0x20 && !(code >= 0x7f && code < 0xa0) && !reorders(code)) {
      out += whole;
    }
  }
  return out;
}

std::string shortened(std::string_view text, size_t characters) {
  std::string_view rest = text;
  while (!rest.empty() && characters > 0) {
    rest.remove_prefix(first_character(rest).bytes);
    --characters;
  }
  return std::string(text.substr(0, text.size() - rest.size())) + (rest.empty() ? "" : "…");
}

}  // namespace tidings::cli
