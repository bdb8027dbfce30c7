// Who is logged in: every device by the hashes of its tokens, and by person.
#pragma once

#include <cstring>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "ports/accounts.h"

namespace tidings::account {

// Lives on one executor. Holds no names and no tokens, only hashes.
class TokenTable {
 public:
  struct Row {
    ports::Device device;   // without its name
    bool rotating = false;  // its next tokens are being written
  };
  // A device by one of its access tokens.
  struct Presented {
    Row* row = nullptr;
    base::WallTime expires{};  // of that token
    bool newest = false;       // not the one before
  };

  void add(const ports::Device& device);
  // `row` is null if nobody has the token.
  Presented find(const ports::TokenHash& token);
  Row* find_family(const ports::TokenHash& family);
  Row* find(model::DeviceId device);
  // Token, expiry and chain become those of `device`, which is there.
  void rotate(const ports::Device& device);
  void remove(model::DeviceId device);
  std::vector<model::DeviceId> devices_of(model::UserId user) const;
  // The least recently made device of a person who has more than `devices_max`, but not `except`.
  std::optional<model::DeviceId> oldest_beyond(model::UserId user, size_t devices_max,
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
  void add_hashes(const ports::Device& device);
  void remove_hashes(const ports::Device& device);

  std::unordered_map<model::DeviceId, Row> rows_;
  std::unordered_map<ports::TokenHash, model::DeviceId, HashOfHash> by_token_;  // newest and previous ones
  std::unordered_map<ports::TokenHash, model::DeviceId, HashOfHash> by_family_;
  std::unordered_map<model::UserId, std::set<model::DeviceId>> by_user_;
};

}  // namespace tidings::account
