// People and their log-ins: sign-up, invites, log-in, refresh, log-out, devices, passwords, who a token
// belongs to. Where they are kept (local_service.h), and from a gateway process through the core (server/).
// Every method may be called from any shard; the callback runs on the executor that the caller names, never
// inside the call. No callback is dropped, except when an executor has stopped.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/time.h"
#include "model/ids.h"
#include "wire/codes.h"

namespace tidings::account {

// What anybody may know of a person.
struct Profile {
  model::UserId user;
  std::string handle;
  std::string display_name;
};
// Who a token is.
struct Identity {
  model::UserId user;
  model::DeviceId device;
};
// Returned once; the server keeps only hashes.
struct IssuedToken {
  std::string token;  // 256 random bits, base64url without padding
  Identity identity;
  base::WallTime expires{};
  std::string refresh;  // makes the next pair
  base::WallTime refresh_expires{};
};
struct IssuedInvite {
  std::string code;  // 128 random bits, base64url without padding
  base::WallTime expires{};
};
// A log-in, as its person sees it.
struct DeviceInfo {
  model::DeviceId device;
  std::string name;
  base::WallTime created{};
  base::WallTime seen{};  // to a minute
};

// Who may make an account: anybody, who has an invite (and the first person of all), only `tidings account`.
enum class SignUp { open, invite, closed };

template <class T>
using Callback = base::UniqueFunction<void(wire::Answer<T>)>;

class Service {
 public:
  virtual ~Service() = default;

  // Codes: forbidden (sign-up is closed, or it needs another invite), bad_request (handle not
  // [a-z0-9_]{3,32}, password under 8 or over 1,024 bytes, display name empty, over 100 characters or not
  // UTF-8), exists, busy (too many hashes wait). The invite is looked at only where one is needed.
  virtual void register_account(std::string handle, std::string password, std::string display_name,
                                base::Executor& on, Callback<Profile> done, std::string invite = "") = 0;
  // forbidden (sign-up is closed), limit (Limits::invites_max).
  virtual void make_invite(Identity who, base::Executor& on, Callback<IssuedInvite> done) = 0;

  // A new device each time; beyond Limits::devices_max the person's oldest one is logged out. unauthenticated
  // for a wrong password and for an unknown handle alike, after equal work; rate_limited after too many wrong
  // ones of this handle or this address ("" if it is not known); bad_request (device name over 100 characters
  // or not UTF-8), busy.
  virtual void log_in(std::string handle, std::string password, std::string device_name, base::Executor& on,
                      Callback<IssuedToken> done, const std::string& address = "") = 0;
  // The next pair of tokens of a device, for its newest refresh token, or for the one before while nothing of
  // the newest pair was used. unauthenticated: nobody has it; or it was used before, and then two have it,
  // and the device is logged out. token_expired; busy (the same is under way).
  virtual void refresh(std::string refresh, base::Executor& on, Callback<IssuedToken> done) = 0;
  // Ends the device: the token is dead at once, on_revoked is told. unauthenticated if it was not alive;
  // `internal`: dead, but not yet for good. It is tried again, and the same call may be repeated until it
  // succeeds. busy beyond Limits::device_removals_max such devices: nothing has changed.
  virtual void log_out(std::string token, base::Executor& on, Callback<void> done) = 0;
  // unauthenticated (unknown) or token_expired.
  virtual void authenticate(std::string token, base::Executor& on, Callback<Identity> done) = 0;

  // Of the person's devices. not_found for a device that is not, whoever has it.
  virtual void list_devices(model::UserId user, base::Executor& on,
                            Callback<std::vector<DeviceInfo>> done) = 0;
  // bad_request (name not 1 to 100 characters of UTF-8).
  virtual void rename_device(model::UserId user, model::DeviceId device, std::string name, base::Executor& on,
                             Callback<void> done) = 0;
  // As log_out.
  virtual void remove_device(model::UserId user, model::DeviceId device, base::Executor& on,
                             Callback<void> done) = 0;

  // Logs all other devices of the person out. forbidden (the old password is wrong), rate_limited as log_in,
  // bad_request (the new one), busy.
  virtual void change_password(Identity who, std::string old_password, std::string new_password,
                               base::Executor& on, Callback<void> done) = 0;
  // bad_request (the name), not_found.
  virtual void set_display_name(model::UserId user, std::string display_name, base::Executor& on,
                                Callback<Profile> done) = 0;

  // All that only ask: busy beyond Limits::queries_in_flight_max.
  virtual void find_by_handle(std::string handle, base::Executor& on,
                              Callback<std::optional<Profile>> done) = 0;
  virtual void find_by_ids(std::vector<model::UserId> users, base::Executor& on,
                           Callback<std::vector<Profile>> done) = 0;

  // `listener` runs on `on` for every device that is logged out from now on.
  virtual void on_revoked(base::Executor& on, std::function<void(model::DeviceId)> listener) = 0;
};

}  // namespace tidings::account
