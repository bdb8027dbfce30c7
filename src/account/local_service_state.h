// What the sources of LocalService share; nobody else includes it.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "account/local_service.h"
#include "account/log_in_pauses.h"
#include "account/metrics.h"
#include "account/secrets.h"
#include "account/text_rules.h"
#include "account/token_table.h"

namespace tidings::account {

using base::Executor;
using ports::Account;
using ports::Accounts;
using ports::Device;
using wire::Answer;
using wire::Code;
using wire::problem;

inline Profile profile_of(const Account& account) {
  return {account.user, account.handle, account.display_name};
}

template <class T>
void tell(Executor& on, Callback<T> done, Answer<T> answer) {
  on.post([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

// Touched on `home` only, but for start(). Tasks on `sql` and `hashing` carry values and never see it.
struct LocalService::State {
  struct Listener {
    Executor& on;
    std::function<void(model::DeviceId)> call;
  };
  // A device that is logged out while that is not written down: after a restart its token would live again.
  struct Removal {
    ports::TokenHash token{};
    std::optional<ports::TokenHash> previous_token = std::nullopt;
    model::UserId user;
    bool under_way = false;
  };

  explicit State(Parts p) : parts(std::move(p)) {}

  Parts parts;
  std::unique_ptr<base::Registry> own_registry = parts.metrics ? nullptr : std::make_unique<base::Registry>();
  Metrics metrics{parts.metrics ? *parts.metrics : *own_registry};
  TokenTable tokens;
  LogInPauses pauses{parts.limits};
  std::map<model::DeviceId, Removal> removals;
  bool removal_timer = false;
  std::set<model::DeviceId> seen;  // since it was last written
  bool seen_timer = false;
  std::string dummy_hash;
  std::vector<Listener> listeners;
  base::GaugePart hashes_queued{metrics.hashes_waiting};
  base::GaugePart queries_in_flight{metrics.queries_under_way};
  // Expires with the service: what comes home later is dropped.
  std::shared_ptr<char> alive = std::make_shared<char>();

  // Runs `task` on home while the service lives. Thread: any, with the token taken on home or by the caller.
  template <class F>
  static void go_home(Executor& home, std::weak_ptr<char> alive, F task) {
    home.post([alive = std::move(alive), task = std::move(task)]() mutable {
      if (!alive.expired()) task();
    });
  }
  // Calls Accounts on `sql`, then `then` with the answer at home.
  template <class F, class G>
  void ask_sql(F call, G then) {
    parts.sql.post([&accounts = parts.accounts, &home = parts.home, token = std::weak_ptr(alive),
                    call = std::move(call), then = std::move(then)]() mutable {
      auto answer = call(accounts);
      go_home(home, std::move(token),
              [then = std::move(then), answer = std::move(answer)]() mutable { then(std::move(answer)); });
    });
  }
  // Calls something costly on `hashing`, then `then` with the result at home. Takes a place that was checked
  // before.
  template <class F, class G>
  void ask_hashing(F call, G then) {
    parts.hashing.post([this, &home = parts.home, token = std::weak_ptr(alive), call = std::move(call),
                        then = std::move(then)]() mutable {
      auto result = call();
      go_home(home, std::move(token), [this, then = std::move(then), result = std::move(result)]() mutable {
        --hashes_queued;
        then(std::move(result));
      });
    });
  }
  bool take_hash_place() {
    if (hashes_queued >= parts.limits.password_hashes_queued_max) return false;
    ++hashes_queued;
    return true;
  }

  // Calls Accounts; what it answered goes through `then` at home and to the asker.
  template <class T, class F, class G>
  void query(Executor& on, Callback<T> done, F call, G then) {
    if (queries_in_flight >= parts.limits.queries_in_flight_max)
      return tell<T>(on, std::move(done), problem(Code::busy));
    ++queries_in_flight;
    ask_sql(std::move(call),
            [this, &on, done = std::move(done), then = std::move(then)](auto answer) mutable {
              --queries_in_flight;
              tell<T>(on, std::move(done), then(std::move(answer)));
            });
  }
  template <class T, class F>
  void query(Executor& on, Callback<T> done, F call) {
    query<T>(on, std::move(done), std::move(call), [](Answer<T> answer) { return answer; });
  }

  // Nothing, or the refusal of a try that has to wait.
  std::optional<wire::Problem> pause_of(const std::string& handle, const std::string& address);
  void wrong_password(const std::string& handle, const std::string& address);

  // Dead from here on; `removals` has it until that is written down.
  void revoke(model::DeviceId device);
  void forget(model::DeviceId device);  // dead, and that is written down
  bool removals_are_full() const { return removals.size() >= parts.limits.device_removals_max; }
  // Writes down that these are removed, and those that failed before; `then` gets whether it worked. What
  // stays is tried again before the next write and after a while.
  void remove(const std::vector<model::DeviceId>& revoked, base::UniqueFunction<void(bool)> then);
  void retry_removals();
  void retry_removals_later();
  // The answer of log_out and remove_device.
  void end_device(model::DeviceId device, Executor& on, Callback<void> done);

  void saw(TokenTable::Row& row);
  void write_seen();

  void issue(const Account& account, std::string device_name, Executor& on, Callback<IssuedToken> done);
  void issued(const Device& device, IssuedToken issued, Executor& on, Callback<IssuedToken> done);
  void rotate(TokenTable::Row& row, std::string_view family, bool again, Executor& on,
              Callback<IssuedToken> done);
  void reused(TokenTable::Row& row, Executor& on, Callback<IssuedToken> done);

  void add_account(Account account, std::string password, std::optional<ports::TokenHash> invite,
                   Executor& on, Callback<Profile> done);
};

}  // namespace tidings::account
