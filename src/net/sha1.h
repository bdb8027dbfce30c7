// SHA-1 (RFC 3174), only because the opening handshake of RFC 6455 asks for it. Not for anything that must be
// secure.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tidings::net {

std::array<uint8_t, 20> sha1(std::string_view bytes);

}  // namespace tidings::net
