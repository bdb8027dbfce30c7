// Who is logged in: every device by the hash of its token, and by person.
#pragma once

#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "ports/accounts.h"
#include "ports/random.h"

namespace tidings::account {

// 256 random bits, base64url without padding.
std::string make_token(ports::Random& random);
ports::TokenHash hash_of(const std::string& token);

// Lives on one executor. Holds no names and no tokens, only hashes.
class TokenTable {
 public:
  struct Row {
    model::DeviceId device;
    model::UserId user;
    base::WallTime created{};
    base::WallTime expires{};
  };

  void add(const ports::Device& device);
  const Row* find(const ports::TokenHash& token) const;
  void remove(const ports::TokenHash& token);
  // The least recently made device of a person who has more than `devices_max`, but not `except`.
  std::optional<ports::TokenHash> oldest_beyond(model::UserId user, size_t devices_max,
                                                model::DeviceId except) const;
  size_t size() const { return rows_.size(); }

 private:
  struct HashOfHash {
    size_t operator()(const ports::TokenHash& hash) const {
      size_t n;
      std::memcpy(&n, hash.data(), sizeof n);
      return n;
    }
  };
  std::unordered_map<ports::TokenHash, Row, HashOfHash> rows_;
  std::unordered_map<model::UserId, std::set<ports::TokenHash>> by_user_;
};

}  // namespace tidings::account
