#include "account/password.h"

#include <array>

#include <sodium.h>

namespace tidings::account {

std::optional<std::string> hash_password(std::string password, HashCost cost) {
  std::array<char, crypto_pwhash_STRBYTES> out;
  const int failed =
      crypto_pwhash_str(out.data(), password.data(), password.size(), cost.operations, cost.memory_bytes);
  sodium_memzero(password.data(), password.size());
  if (failed) return std::nullopt;
  return std::string(out.data());
}

bool verify_password(std::string password, const std::string& hash) {
  const int failed = crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size());
  sodium_memzero(password.data(), password.size());
  return failed == 0;
}

}  // namespace tidings::account
