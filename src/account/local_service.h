// The Service of the process that keeps the accounts. It lives on one executor (its home) and owns the table
// of tokens in memory; SQL and Argon2id run on workers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "account/password.h"
#include "account/service.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "ports/accounts.h"
#include "ports/clock.h"
#include "ports/random.h"

namespace tidings::account {

// Destroyed on its home, or after its executors stopped; callbacks that wait then are dropped.
class LocalService : public Service {
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
  explicit LocalService(Parts parts);
  ~LocalService() override;

  // Loads the tokens; call before anything else, on a thread that may block.
  base::Status start();

  void register_account(std::string handle, std::string password, std::string display_name,
                        base::Executor& on, Callback<Profile> done, std::string invite = "") override;
  void make_invite(Identity who, base::Executor& on, Callback<IssuedInvite> done) override;
  void log_in(std::string handle, std::string password, std::string device_name, base::Executor& on,
              Callback<IssuedToken> done, const std::string& address = "") override;
  void refresh(std::string refresh, base::Executor& on, Callback<IssuedToken> done) override;
  void log_out(std::string token, base::Executor& on, Callback<void> done) override;
  void authenticate(std::string token, base::Executor& on, Callback<Identity> done) override;
  void list_devices(model::UserId user, base::Executor& on, Callback<std::vector<DeviceInfo>> done) override;
  void rename_device(model::UserId user, model::DeviceId device, std::string name, base::Executor& on,
                     Callback<void> done) override;
  void remove_device(model::UserId user, model::DeviceId device, base::Executor& on,
                     Callback<void> done) override;
  void change_password(Identity who, std::string old_password, std::string new_password, base::Executor& on,
                       Callback<void> done) override;
  void set_display_name(model::UserId user, std::string display_name, base::Executor& on,
                        Callback<Profile> done) override;
  void find_by_handle(std::string handle, base::Executor& on, Callback<std::optional<Profile>> done) override;
  void find_by_ids(std::vector<model::UserId> users, base::Executor& on,
                   Callback<std::vector<Profile>> done) override;
  void on_revoked(base::Executor& on, std::function<void(model::DeviceId)> listener) override;

  // Which of these devices are logged out: for who was not told by on_revoked while it could not hear.
  void find_revoked(std::vector<model::DeviceId> devices, base::Executor& on,
                    Callback<std::vector<model::DeviceId>> done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidings::account
