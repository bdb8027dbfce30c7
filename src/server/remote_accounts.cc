#include "server/remote_accounts.h"

#include <utility>

namespace tidings::server {

using account::Callback;
using account::Identity;
using base::Executor;
using wire::Answer;
using wire::Code;

template <class Call>
void RemoteAccounts::ask(Call call, Executor& on, Callback<typename Call::Result> done) {
  using Result = typename Call::Result;
  Waiting waiting = [&on, done = std::move(done)](const std::string* bytes) mutable {
    Answer<Result> answer = wire::problem(Code::busy);
    bool whole = true;
    if (bytes) {
      socket::Taker taker(*bytes);
      taker.take(answer);
      whole = taker.finished();
      if (!whole) answer = wire::problem(Code::busy);
    }
    on.post([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
    return whole;
  };
  home_.post([this, alive = std::weak_ptr(alive_), call = AccountCall(std::move(call)),
              waiting = std::move(waiting)]() mutable {
    if (!alive.expired()) ask_at_home(std::move(call), std::move(waiting));
  });
}

void RemoteAccounts::ask_at_home(AccountCall call, Waiting waiting) {
  if (!send_ || waiting_.size() >= limits_.account_calls_in_flight_max) {
    waiting(nullptr);
    return;
  }
  const uint64_t number = ++last_;
  waiting_.emplace(number, std::move(waiting));
  count();
  send_({number, std::move(call)});
}

base::Gauge& RemoteAccounts::calls(base::Registry& metrics) {
  return metrics.gauge("tidings_account_calls_under_way",
                       "Calls of gateway processes that the accounts of their core have not answered.");
}

void RemoteAccounts::connected(std::function<void(const AccountAsk&)> send) {
  send_ = std::move(send);
}

void RemoteAccounts::disconnected() {
  send_ = nullptr;
  for (auto& [number, waiting] : std::exchange(waiting_, {})) waiting(nullptr);
  count();
}

bool RemoteAccounts::on_answer(const AccountAnswer& answer) {
  auto found = waiting_.extract(answer.number);
  count();
  return !found.empty() && found.mapped()(&answer.answer);
}

void RemoteAccounts::on_revoked_there(model::DeviceId device) {
  for (const auto& listener : listeners_) {
    listener.on.post([call = listener.call, device] { call(device); });
  }
}

void RemoteAccounts::find_revoked(std::vector<model::DeviceId> devices, Executor& on,
                                  Callback<std::vector<model::DeviceId>> done) {
  ask(call::FindRevoked{std::move(devices)}, on, std::move(done));
}

void RemoteAccounts::on_revoked(Executor& on, std::function<void(model::DeviceId)> listener) {
  home_.post([this, alive = std::weak_ptr(alive_), &on, listener = std::move(listener)]() mutable {
    if (!alive.expired()) listeners_.push_back({on, std::move(listener)});
  });
}

void RemoteAccounts::register_account(std::string handle, std::string password, std::string display_name,
                                      Executor& on, Callback<account::Profile> done, std::string invite) {
  ask(call::RegisterAccount{std::move(handle), std::move(password), std::move(display_name),
                            std::move(invite)},
      on, std::move(done));
}
void RemoteAccounts::make_invite(Identity who, Executor& on, Callback<account::IssuedInvite> done) {
  ask(call::MakeInvite{who}, on, std::move(done));
}
void RemoteAccounts::log_in(std::string handle, std::string password, std::string device_name, Executor& on,
                            Callback<account::IssuedToken> done, const std::string& address) {
  ask(call::LogIn{std::move(handle), std::move(password), std::move(device_name), address}, on,
      std::move(done));
}
void RemoteAccounts::refresh(std::string refresh, Executor& on, Callback<account::IssuedToken> done) {
  ask(call::Refresh{std::move(refresh)}, on, std::move(done));
}
void RemoteAccounts::log_out(std::string token, Executor& on, Callback<void> done) {
  ask(call::LogOut{std::move(token)}, on, std::move(done));
}
void RemoteAccounts::authenticate(std::string token, Executor& on, Callback<Identity> done) {
  ask(call::Authenticate{std::move(token)}, on, std::move(done));
}
void RemoteAccounts::list_devices(model::UserId user, Executor& on,
                                  Callback<std::vector<account::DeviceInfo>> done) {
  ask(call::ListDevices{user}, on, std::move(done));
}
void RemoteAccounts::rename_device(model::UserId user, model::DeviceId device, std::string name, Executor& on,
                                   Callback<void> done) {
  ask(call::RenameDevice{user, device, std::move(name)}, on, std::move(done));
}
void RemoteAccounts::remove_device(model::UserId user, model::DeviceId device, Executor& on,
                                   Callback<void> done) {
  ask(call::RemoveDevice{user, device}, on, std::move(done));
}
void RemoteAccounts::change_password(Identity who, std::string old_password, std::string new_password,
                                     Executor& on, Callback<void> done) {
  ask(call::ChangePassword{who, std::move(old_password), std::move(new_password)}, on, std::move(done));
}
void RemoteAccounts::set_display_name(model::UserId user, std::string display_name, Executor& on,
                                      Callback<account::Profile> done) {
  ask(call::SetDisplayName{user, std::move(display_name)}, on, std::move(done));
}
void RemoteAccounts::find_by_handle(std::string handle, Executor& on,
                                    Callback<std::optional<account::Profile>> done) {
  ask(call::FindByHandle{std::move(handle)}, on, std::move(done));
}
void RemoteAccounts::find_by_ids(std::vector<model::UserId> users, Executor& on,
                                 Callback<std::vector<account::Profile>> done) {
  ask(call::FindByIds{std::move(users)}, on, std::move(done));
}

// --- at the core

namespace {

// Writes an answer down.
struct Runner {
  account::LocalService& service;
  Executor& on;
  base::UniqueFunction<void(std::string)> done;

  template <class T>
  Callback<T> told() {
    return [done = std::move(done)](Answer<T> answer) mutable {
      std::string bytes;
      base::Writer writer(bytes);
      socket::put(writer, answer);
      done(std::move(bytes));
    };
  }
  void operator()(call::RegisterAccount& c) {
    service.register_account(std::move(c.handle), std::move(c.password), std::move(c.display_name), on,
                             told<account::Profile>(), std::move(c.invite));
  }
  void operator()(call::MakeInvite& c) { service.make_invite(c.who, on, told<account::IssuedInvite>()); }
  void operator()(call::LogIn& c) {
    service.log_in(std::move(c.handle), std::move(c.password), std::move(c.device_name), on,
                   told<account::IssuedToken>(), c.address);
  }
  void operator()(call::Refresh& c) {
    service.refresh(std::move(c.refresh), on, told<account::IssuedToken>());
  }
  void operator()(call::LogOut& c) { service.log_out(std::move(c.token), on, told<void>()); }
  void operator()(call::Authenticate& c) { service.authenticate(std::move(c.token), on, told<Identity>()); }
  void operator()(call::ListDevices& c) {
    service.list_devices(c.user, on, told<std::vector<account::DeviceInfo>>());
  }
  void operator()(call::RenameDevice& c) {
    service.rename_device(c.user, c.device, std::move(c.name), on, told<void>());
  }
  void operator()(call::RemoveDevice& c) { service.remove_device(c.user, c.device, on, told<void>()); }
  void operator()(call::ChangePassword& c) {
    service.change_password(c.who, std::move(c.old_password), std::move(c.new_password), on, told<void>());
  }
  void operator()(call::SetDisplayName& c) {
    service.set_display_name(c.user, std::move(c.display_name), on, told<account::Profile>());
  }
  void operator()(call::FindRevoked& c) {
    service.find_revoked(std::move(c.devices), on, told<std::vector<model::DeviceId>>());
  }
  void operator()(call::FindByHandle& c) {
    service.find_by_handle(std::move(c.handle), on, told<std::optional<account::Profile>>());
  }
  void operator()(call::FindByIds& c) {
    service.find_by_ids(std::move(c.users), on, told<std::vector<account::Profile>>());
  }
};

}  // namespace

void run_call(account::LocalService& service, AccountCall call, Executor& on,
              base::UniqueFunction<void(std::string)> done) {
  Runner runner{service, on, std::move(done)};
  std::visit(runner, call);
}

}  // namespace tidings::server
