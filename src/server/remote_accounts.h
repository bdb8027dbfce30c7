// The accounts as a gateway process has them: every call is a request over the control connection to the
// core. While there is no core, every call is answered `busy`, and those under way when it went are, too.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "account/local_service.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "server/control_frames.h"

namespace tidings::server {

// Destroyed after its executors stopped, or on its home.
class RemoteAccounts : public account::Service {
 public:
  // `home`: of the control connection.
  RemoteAccounts(base::Executor& home, const base::Limits& limits, base::Gauge* calls = nullptr)
      : home_(home), limits_(limits), calls_(calls) {}
  static base::Gauge& calls(base::Registry& metrics);

  // --- the control connection; on home
  void connected(std::function<void(const AccountAsk&)> send);
  void disconnected();
  // False: it answers nothing that was asked so.
  bool on_answer(const AccountAnswer& answer);
  void on_revoked_there(model::DeviceId device);
  // Which of these are logged out, for a gateway that could not hear for a while.
  void find_revoked(std::vector<model::DeviceId> devices, base::Executor& on,
                    account::Callback<std::vector<model::DeviceId>> done);

  void register_account(std::string handle, std::string password, std::string display_name,
                        base::Executor& on, account::Callback<account::Profile> done,
                        std::string invite) override;
  void make_invite(account::Identity who, base::Executor& on,
                   account::Callback<account::IssuedInvite> done) override;
  void log_in(std::string handle, std::string password, std::string device_name, base::Executor& on,
              account::Callback<account::IssuedToken> done, const std::string& address) override;
  void refresh(std::string refresh, base::Executor& on,
               account::Callback<account::IssuedToken> done) override;
  void log_out(std::string token, base::Executor& on, account::Callback<void> done) override;
  void authenticate(std::string token, base::Executor& on,
                    account::Callback<account::Identity> done) override;
  void list_devices(model::UserId user, base::Executor& on,
                    account::Callback<std::vector<account::DeviceInfo>> done) override;
  void rename_device(model::UserId user, model::DeviceId device, std::string name, base::Executor& on,
                     account::Callback<void> done) override;
  void remove_device(model::UserId user, model::DeviceId device, base::Executor& on,
                     account::Callback<void> done) override;
  void change_password(account::Identity who, std::string old_password, std::string new_password,
                       base::Executor& on, account::Callback<void> done) override;
  void set_display_name(model::UserId user, std::string display_name, base::Executor& on,
                        account::Callback<account::Profile> done) override;
  void find_by_handle(std::string handle, base::Executor& on,
                      account::Callback<std::optional<account::Profile>> done) override;
  void find_by_ids(std::vector<model::UserId> users, base::Executor& on,
                   account::Callback<std::vector<account::Profile>> done) override;
  void on_revoked(base::Executor& on, std::function<void(model::DeviceId)> listener) override;

 private:
  // Told the bytes of its answer, or nothing: busy. False: they are no answer to it.
  using Waiting = base::UniqueFunction<bool(const std::string*)>;
  struct Listener {
    base::Executor& on;
    std::function<void(model::DeviceId)> call;
  };

  template <class Call>
  void ask(Call call, base::Executor& on, account::Callback<typename Call::Result> done);
  void ask_at_home(AccountCall call, Waiting waiting);

  base::Executor& home_;
  const base::Limits& limits_;
  std::function<void(const AccountAsk&)> send_;  // empty: no core
  void count() {
    if (calls_) calls_->set(static_cast<int64_t>(waiting_.size()));
  }

  base::Gauge* const calls_;  // waiting_; may be null
  std::map<uint64_t, Waiting> waiting_;
  uint64_t last_ = 0;
  std::vector<Listener> listeners_;
  // Expires with this: what comes home later is dropped.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Calls the service; `done` is told the answer as bytes, on `on`.
void run_call(account::LocalService& service, AccountCall call, base::Executor& on,
              base::UniqueFunction<void(std::string)> done);

}  // namespace tidings::server
