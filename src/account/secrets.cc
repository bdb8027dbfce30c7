#include "account/secrets.h"

#include <array>

#include <sodium.h>

#include "base/hash.h"

namespace tidings::account {

namespace {

constexpr size_t family_characters = 24;  // 18 bytes
constexpr size_t token_characters = 43;   // 32 bytes

template <size_t bytes>
std::string random_text(ports::Random& random) {
  std::array<uint8_t, bytes> bits;
  random.fill(bits);
  constexpr int form = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::array<char, sodium_base64_ENCODED_LEN(bytes, form)> text;
  return sodium_bin2base64(text.data(), text.size(), bits.data(), bits.size(), form);
}

}  // namespace

std::string make_token(ports::Random& random) {
  return random_text<32>(random);
}

std::string make_invite_code(ports::Random& random) {
  return random_text<16>(random);
}

std::string make_family(ports::Random& random) {
  return random_text<18>(random);
}

std::string make_refresh_token(std::string_view family, ports::Random& random) {
  return std::string(family) + random_text<32>(random);
}

std::optional<std::string_view> family_of(std::string_view refresh_token) {
  if (refresh_token.size() != family_characters + token_characters) return std::nullopt;
  return refresh_token.substr(0, family_characters);
}

uint64_t make_id(ports::Random& random) {
  for (;;) {
    if (const uint64_t id = random.u64() >> 1) return id;
  }
}

ports::TokenHash hash_of(std::string_view secret) {
  return base::sha256(secret);
}

}  // namespace tidings::account
