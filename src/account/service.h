// People and their log-ins: sign-up, log-in, log-out, who a token belongs to. It lives on one executor (its
// home) and owns the table of tokens in memory; SQL and Argon2id run on workers. Every method may be called
// from any shard; the callback runs on the executor that the caller names. No callback is dropped, except
// when an executor has stopped.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "account/password.h"
#include "base/executor.h"
#include "base/limits.h"
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
// Returned once; the server keeps only its hash.
struct IssuedToken {
  std::string token;  // 256 random bits, base64url without padding
  Identity identity;
  base::WallTime expires{};
};

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
  };
  explicit Service(Parts parts);
  ~Service();

  // Loads the tokens; call before anything else, on a thread that may block.
  base::Status start();

  // Codes: bad_request (handle not [a-z0-9_]{3,32}, password under 8 or over 1,024 bytes, display name empty,
  // over 100 characters or not UTF-8), exists, busy (too many hashes wait).
  void register_account(std::string handle, std::string password, std::string display_name,
                        base::Executor& on, Callback<Profile> done);
  // A new device each time; beyond Limits::devices_max the person's oldest one is logged out. unauthenticated
  // for a wrong password and for an unknown handle alike, after equal work; bad_request (device name over 100
  // characters or not UTF-8), busy.
  void log_in(std::string handle, std::string password, std::string device_name, base::Executor& on,
              Callback<IssuedToken> done);
  // Ends the device: the token is dead at once, on_revoked is told. unauthenticated if it was not alive;
  // `internal`: dead, but not yet for good. It is tried again, and the same call may be repeated until it
  // succeeds. busy beyond Limits::device_removals_max such devices: nothing has changed.
  void log_out(std::string token, base::Executor& on, Callback<void> done);
  // unauthenticated (unknown) or token_expired.
  void authenticate(std::string token, base::Executor& on, Callback<Identity> done);

  // Both: busy beyond Limits::queries_in_flight_max.
  void find_by_handle(std::string handle, base::Executor& on, Callback<std::optional<Profile>> done);
  void find_by_ids(std::vector<model::UserId> users, base::Executor& on, Callback<std::vector<Profile>> done);

  // `listener` runs on `on` for every device that is logged out from now on.
  void on_revoked(base::Executor& on, std::function<void(model::DeviceId)> listener);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidings::account
