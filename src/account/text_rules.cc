#include "account/text_rules.h"

#include <algorithm>
#include <cstdint>

namespace tidings::account {

bool is_handle(std::string_view handle) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return handle.size() >= 3 && handle.size() <= 32 && std::all_of(handle.begin(), handle.end(), allowed);
}

bool is_password(std::string_view password) {
  return password.size() >= 8 && password.size() <= 1024;
}

std::optional<size_t> utf8_characters(std::string_view text) {
  size_t characters = 0;
  while (!text.empty()) {
    const auto lead = static_cast<uint8_t>(text[0]);
    const size_t size = lead < 0x80   ? 1
                        : lead < 0xc2 ? 0
                        : lead < 0xe0 ? 2
                        : lead < 0xf0 ? 3
                        : lead < 0xf5 ? 4
                                      : 0;
    if (size == 0 || text.size() < size) return std::nullopt;
    uint32_t point = size == 1 ? lead : lead & (0x7fu >> size);
    for (size_t i = 1; i < size; ++i) {
      const auto byte = static_cast<uint8_t>(text[i]);
      if ((byte & 0xc0) != 0x80) return std::nullopt;
      point = point << 6 | (byte & 0x3f);
    }
    const bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    if (overlong || surrogate || point > 0x10ffff) return std::nullopt;
    text.remove_prefix(size);
    ++characters;
  }
  return characters;
}

bool is_name(std::string_view name, size_t characters_min) {
  const auto characters = utf8_characters(name);
  return characters && *characters >= characters_min && *characters <= 100;
}

}  // namespace tidings::account
