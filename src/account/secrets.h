// The random texts that people hold, and what the server keeps of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ports/accounts.h"
#include "ports/random.h"

namespace tidings::account {

// 256 random bits, base64url without padding: an access token.
std::string make_token(ports::Random& random);
// 128 random bits, likewise.
std::string make_invite_code(ports::Random& random);
// What all refresh tokens of a device begin with (144 bits), and one of them (256 bits more).
std::string make_family(ports::Random& random);
std::string make_refresh_token(std::string_view family, ports::Random& random);
// Nothing for what is no refresh token.
std::optional<std::string_view> family_of(std::string_view refresh_token);
// Of a person or a device: 1..2^63-1.
uint64_t make_id(ports::Random& random);

ports::TokenHash hash_of(std::string_view secret);

}  // namespace tidings::account
