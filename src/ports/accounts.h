#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"
#include "wire/codes.h"

namespace tidings::ports {

// SHA-256 of a token: the only form in which a token, a refresh token or an invite is kept.
using TokenHash = std::array<uint8_t, 32>;

struct Account {
  model::UserId user;
  std::string handle;  // [a-z0-9_]{3,32}
  std::string display_name;
  std::string password_hash;  // libsodium's encoded Argon2id string; never leaves account/
};

// The refresh tokens of a device, one after another: each makes the next and dies.
struct RefreshChain {
  TokenHash family{};  // of the part that all of them have in common
  TokenHash current{};
  base::WallTime expires{};
  // The pair before; the refresh token of it may be shown again while nothing of the current pair was used.
  std::optional<TokenHash> previous;
  std::optional<TokenHash> previous_token;
  base::WallTime previous_expires{};  // of previous_token
  bool used = false;                  // something of the current pair was presented
};

// A log-in of a person.
struct Device {
  model::DeviceId device;
  model::UserId user;
  std::string name;
  TokenHash token;
  base::WallTime created{};
  base::WallTime expires{};
  base::WallTime seen{};
  std::optional<RefreshChain> chain = std::nullopt;  // none: it can only log in again
};

// Who has it may make one account. Used once.
struct Invite {
  TokenHash code{};
  model::UserId by;
  base::WallTime expires{};
};

// People, credentials and tokens: the relational system of record (protocol.md §9). What a call changed is
// durable when it returned, all of it or nothing. Calls block; they come from one thread. Any error beyond
// the stated codes is `internal` and is logged by the engine with its reason. Another process may add
// accounts at the same time.
//
// A device is active until its removal begins, and never again after that: nothing but finish_removals() sees
// it from then on.
class Accounts {
 public:
  virtual ~Accounts() = default;

  // `exists` if the handle is taken (or, which nobody will see, the user id).
  virtual wire::Answer<void> add_account(const Account& account) = 0;
  // Uses the invite up; the first account of all needs none. `forbidden` if the invite is not there or has
  // expired; `exists` as above, and the invite stays.
  virtual wire::Answer<void> add_invited_account(const Account& account,
                                                 const std::optional<TokenHash>& invite,
                                                 base::WallTime now) = 0;
  // Whether add_invited_account would not answer `forbidden` now.
  virtual wire::Answer<bool> is_invited(const std::optional<TokenHash>& invite, base::WallTime now) = 0;
  // `limit` if the person has that many which are neither used nor expired.
  virtual wire::Answer<void> add_invite(const Invite& invite, size_t invites_max, base::WallTime now) = 0;
  virtual wire::Answer<std::optional<Account>> find_by_handle(const std::string& handle) = 0;
  // Those that exist, in no order.
  virtual wire::Answer<std::vector<Account>> find_by_ids(const std::vector<model::UserId>& users) = 0;
  // False if there is nobody.
  virtual wire::Answer<bool> set_display_name(model::UserId user, const std::string& display_name) = 0;
  // Also begins the removal of all of the person's devices but `keep`. False, and nothing has changed, if the
  // password's hash is not `old_hash` any more.
  virtual wire::Answer<bool> change_password(model::UserId user, const std::string& old_hash,
                                             const std::string& new_hash, model::DeviceId keep) = 0;

  virtual wire::Answer<void> add_device(const Device& device) = 0;
  // Every active device, for the table of tokens in memory; read once at a start.
  virtual wire::Answer<std::vector<Device>> devices() = 0;
  // The active ones of one person, oldest first.
  virtual wire::Answer<std::vector<Device>> devices_of(model::UserId user) = 0;
  // These three: false if it is not an active device (of this person).
  // Token, expiry and chain become those of `device`.
  virtual wire::Answer<bool> rotate_tokens(const Device& device) = 0;
  virtual wire::Answer<bool> mark_used(model::DeviceId device) = 0;
  virtual wire::Answer<bool> rename_device(model::UserId user, model::DeviceId device,
                                           const std::string& name) = 0;
  // Unknown ones are ignored.
  virtual wire::Answer<void> set_seen(
      const std::vector<std::pair<model::DeviceId, base::WallTime>>& seen) = 0;
  // These devices are not active any more, for good. Unknown ones are ignored.
  virtual wire::Answer<void> begin_removals(const std::vector<model::DeviceId>& devices) = 0;
  // Deletes all whose removal has begun; how many.
  virtual wire::Answer<size_t> finish_removals() = 0;
};

}  // namespace tidings::ports
