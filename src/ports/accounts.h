#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"
#include "wire/codes.h"

namespace tidings::ports {

// SHA-256 of a token: the only form in which a token is kept.
using TokenHash = std::array<uint8_t, 32>;

struct Account {
  model::UserId user;
  std::string handle;  // [a-z0-9_]{3,32}
  std::string display_name;
  std::string password_hash;  // libsodium's encoded Argon2id string; never leaves account/
};

// A log-in of a person.
struct Device {
  model::DeviceId device;
  model::UserId user;
  std::string name;
  TokenHash token;
  base::WallTime created{};
  base::WallTime expires{};
};

// People, credentials and tokens: the relational system of record (protocol.md §9). What a call changed is
// durable when it returned. Calls block; they come from one thread. Any error beyond the stated codes is
// `internal` and is logged by the engine with its reason.
class Accounts {
 public:
  virtual ~Accounts() = default;

  // `exists` if the handle is taken (or, which nobody will see, the user id).
  virtual wire::Answer<void> add_account(const Account& account) = 0;
  virtual wire::Answer<std::optional<Account>> find_by_handle(const std::string& handle) = 0;
  // Those that exist, in no order.
  virtual wire::Answer<std::vector<Account>> find_by_ids(const std::vector<model::UserId>& users) = 0;

  virtual wire::Answer<void> add_device(const Device& device) = 0;
  // True if it was there.
  virtual wire::Answer<bool> remove_device(model::DeviceId device) = 0;
  // Every device, for the table of tokens in memory; read once at a start.
  virtual wire::Answer<std::vector<Device>> devices() = 0;
};

}  // namespace tidings::ports
