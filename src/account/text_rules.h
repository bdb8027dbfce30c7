// What handles, passwords and names may be.
#pragma once

#include <optional>
#include <string_view>

namespace tidings::account {

// [a-z0-9_]{3,32}
bool is_handle(std::string_view handle);
// 8 to 1,024 bytes, any.
bool is_password(std::string_view password);
// Code points of well-formed UTF-8 (RFC 3629); nothing for anything else.
std::optional<size_t> utf8_characters(std::string_view text);
// UTF-8 of min..100 characters.
bool is_name(std::string_view name, size_t characters_min);

}  // namespace tidings::account
