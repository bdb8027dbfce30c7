// Argon2id by libsodium. Both calls are costly by design: run them on the hashing workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace tidings::account {

// How costly a password's hash is (libsodium's opslimit and memlimit in bytes). Tests and the simulator take
// the lowest.
struct HashCost {
  uint64_t operations = 2;
  size_t memory_bytes = 19u << 20;
};

// The encoded hash with salt and cost; nothing if the memory is not there. The password is wiped.
std::optional<std::string> hash_password(std::string password, HashCost cost);
// Whether the password belongs to an encoded hash, of whatever cost. The password is wiped.
bool verify_password(std::string password, const std::string& hash);

}  // namespace tidings::account
