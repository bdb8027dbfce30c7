// People and their log-ins: sign-up, invites, log-in, refresh, log-out, devices, passwords, who a token
// belongs to. It lives on one executor (its home) and owns the table of tokens in memory; SQL and Argon2id
// run on workers. Every method may be called from any shard; the callback runs on the executor that the
// caller names. No callback is dropped, except when an executor has stopped.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "account/password.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "ports/accounts.h"
#include "ports/clock.h"
#include "ports/random.h"

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

// Destroyed on its home, or after its executors stopped; callbacks that wait then are dropped.
class Service {
 public:
  struct Parts {
    ports::Accounts& accounts;  // called on `sql` only
    ports::Clock& clock;
    ports::Random& random;
    base::Executor& home;     // owns the token table
    base::Executor& sql;      // one thread that may block
    base::Executor& hashing;  // one or more threads that may be busy
    const base::Limits& limits;
    HashCost cost;
    SignUp sign_up = SignUp::open;
    base::Registry* metrics = nullptr;
  };
  explicit Service(Parts parts);
  ~Service();

  // Loads the tokens; call before anything else, on a thread that may block.
  base::Status start();

  // Codes: forbidden (sign-up is closed, or it needs another invite), bad_request (handle not
  // [a-z0-9_]{3,32}, password under 8 or over 1,024 bytes, display name empty, over 100 characters or not
  // UTF-8), exists, busy (too many hashes wait). The invite is looked at only where one is needed.
  void register_account(std::string handle, std::string password, std::string display_name,
                        base::Executor& on, Callback<Profile> done, std::string invite = "");
  // forbidden (sign-up is closed), limit (Limits::invites_max).
  void make_invite(Identity who, base::Executor& on, Callback<IssuedInvite> done);

  // A new device each time; beyond Limits::devices_max the person's oldest one is logged out. unauthenticated
  // for a wrong password and for an unknown handle alike, after equal work; rate_limited after too many wrong
  // ones of this handle or this address ("" if it is not known); bad_request (device name over 100 characters
  // or not UTF-8), busy.
  void log_in(std::string handle, std::string password, std::string device_name, base::Executor& on,
              Callback<IssuedToken> done, const std::string& address = "");
  // The next pair of tokens of a device, for its newest refresh token, or for the one before while nothing of
  // the newest pair was used. unauthenticated: nobody has it; or it was used before, and then two have it,
  // and the device is logged out. token_expired; busy (the same is under way).
  void refresh(std::string refresh, base::Executor& on, Callback<IssuedToken> done);
  // Ends the device: the token is dead at once, on_revoked is told. unauthenticated if it was not alive;
  // `internal`: dead, but not yet for good. It is tried again, and the same call may be repeated until it
  // succeeds. busy beyond Limits::device_removals_max such devices: nothing has changed.
  void log_out(std::string token, base::Executor& on, Callback<void> done);
  // unauthenticated (unknown) or token_expired.
  void authenticate(std::string token, base::Executor& on, Callback<Identity> done);

  // Of the person's devices. not_found for a device that is not, whoever has it.
  void list_devices(model::UserId user, base::Executor& on, Callback<std::vector<DeviceInfo>> done);
  // bad_request (name not 1 to 100 characters of UTF-8).
  void rename_device(model::UserId user, model::DeviceId device, std::string name, base::Executor& on,
                     Callback<void> done);
  // As log_out.
  void remove_device(model::UserId user, model::DeviceId device, base::Executor& on, Callback<void> done);

  // Logs all other devices of the person out. forbidden (the old password is wrong), rate_limited as log_in,
  // bad_request (the new one), busy.
  void change_password(Identity who, std::string old_password, std::string new_password, base::Executor& on,
                       Callback<void> done);
  // bad_request (the name), not_found.
  void set_display_name(model::UserId user, std::string display_name, base::Executor& on,
                        Callback<Profile> done);

  // All that only ask: busy beyond Limits::queries_in_flight_max.
  void find_by_handle(std::string handle, base::Executor& on, Callback<std::optional<Profile>> done);
  void find_by_ids(std::vector<model::UserId> users, base::Executor& on, Callback<std::vector<Profile>> done);

  // `listener` runs on `on` for every device that is logged out from now on.
  void on_revoked(base::Executor& on, std::function<void(model::DeviceId)> listener);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidings::account
