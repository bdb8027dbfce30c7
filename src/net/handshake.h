// The opening handshake of RFC 6455 (section 4): what both sides compute and compare.
#pragma once

#include <string>
#include <string_view>

namespace tidings::net {

// Sec-WebSocket-Accept for a Sec-WebSocket-Key.
std::string accept_key(std::string_view key);
// 16 random bytes in base64.
std::string make_key();
// Base64 of 16 bytes.
bool valid_key(std::string_view key);
// Whether a comma-separated header value names this token, in any case.
bool names_token(std::string_view header, std::string_view token);

}  // namespace tidings::net
