#include "account/service.h"

#include <map>

#include <sodium.h>

#include "account/text_rules.h"
#include "account/token_table.h"
#include "base/log_line.h"

namespace tidings::account {

using base::Executor;
using ports::Account;
using ports::Device;
using wire::Answer;
using wire::Code;
using wire::problem;

namespace {

constexpr base::nanoseconds removal_pause = std::chrono::seconds(5);

Profile profile_of(const Account& account) {
  return {account.user, account.handle, account.display_name};
}

uint64_t random_id(ports::Random& random) {
  for (;;) {
    if (const uint64_t id = random.u64() >> 1) return id;
  }
}

template <class T>
void tell(Executor& on, Callback<T> done, Answer<T> answer) {
  on.post([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

}  // namespace

// Touched on `home` only, but for start(). Tasks on `sql` and `hashing` carry values and never see it.
struct Service::State {
  struct Listener {
    Executor& on;
    std::function<void(model::DeviceId)> call;
  };

  Parts parts;
  // A device that is logged out and not known to be removed from the table of devices: after a restart its
  // token would live again.
  struct Removal {
    model::DeviceId device;
    bool under_way = false;
  };

  TokenTable tokens;
  std::map<ports::TokenHash, Removal> removals;
  bool removal_timer = false;
  std::string dummy_hash;
  std::vector<Listener> listeners;
  size_t hashes_queued = 0;
  size_t queries_in_flight = 0;
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

  template <class T, class F>
  void query(Executor& on, Callback<T> done, F call) {
    if (queries_in_flight >= parts.limits.queries_in_flight_max)
      return tell<T>(on, std::move(done), problem(Code::busy));
    ++queries_in_flight;
    ask_sql(std::move(call), [this, &on, done = std::move(done)](Answer<T> answer) mutable {
      --queries_in_flight;
      tell<T>(on, std::move(done), std::move(answer));
    });
  }

  void revoke(const ports::TokenHash& token) {
    const model::DeviceId device = tokens.find(token)->device;
    tokens.remove(token);
    removals[token] = {device};
    for (const auto& listener : listeners) {
      listener.on.post([call = listener.call, device] { call(device); });
    }
  }
  bool removals_are_full() const { return removals.size() >= parts.limits.device_removals_max; }
  // Those that failed before and wait.
  std::vector<ports::TokenHash> waiting_removals() const;
  // Up to the first that fails; `then` gets how many went. Those that stay are tried again before the next
  // write and after a while.
  void remove(std::vector<ports::TokenHash> revoked, base::UniqueFunction<void(size_t)> then);
  void retry_removals();
  void issue(const Account& account, std::string device_name, Executor& on, Callback<IssuedToken> done);
  void issued(const Device& device, std::string token, Executor& on, Callback<IssuedToken> done);
};

Service::Service(Parts parts) : state_(new State{.parts = parts}) {}
Service::~Service() = default;

base::Status Service::start() {
  if (sodium_init() < 0) return base::failure("libsodium cannot start.");
  auto dummy = hash_password("nobody's password", state_->parts.cost);
  if (!dummy) return base::failure("There is not enough memory to hash a password.");
  state_->dummy_hash = std::move(*dummy);
  const auto devices = state_->parts.accounts.devices();
  if (!devices) return base::failure("The tokens cannot be read.");
  for (const auto& device : *devices) state_->tokens.add(device);
  return {};
}

void Service::register_account(std::string handle, std::string password, std::string display_name,
                               Executor& on, Callback<Profile> done) {
  const char* wrong = nullptr;
  if (!is_handle(handle))
    wrong = "A handle is 3 to 32 characters of a-z, 0-9 and _.";
  else if (!is_password(password))
    wrong = "A password is 8 to 1,024 bytes.";
  else if (!is_name(display_name, 1))
    wrong = "A display name is 1 to 100 characters.";
  if (wrong) return tell<Profile>(on, std::move(done), problem(Code::bad_request, wrong));

  auto* state = state_.get();
  State::go_home(
      state->parts.home, state->alive,
      [state, handle = std::move(handle), password = std::move(password),
       display_name = std::move(display_name), &on, done = std::move(done)]() mutable {
        if (!state->take_hash_place()) return tell<Profile>(on, std::move(done), problem(Code::busy));
        Account account{{random_id(state->parts.random)}, std::move(handle), std::move(display_name), ""};
        auto hash = [password = std::move(password), cost = state->parts.cost]() mutable {
          return hash_password(std::move(password), cost);
        };
        state->ask_hashing(std::move(hash), [state, account = std::move(account), &on,
                                             done =
                                                 std::move(done)](std::optional<std::string> hashed) mutable {
          if (!hashed) return tell<Profile>(on, std::move(done), problem(Code::internal));
          account.password_hash = std::move(*hashed);
          state->retry_removals();
          auto add = [account](ports::Accounts& accounts) { return accounts.add_account(account); };
          state->ask_sql(std::move(add), [account, &on, done = std::move(done)](Answer<void> added) mutable {
            if (!added) return tell<Profile>(on, std::move(done), problem(added.error().code));
            tell<Profile>(on, std::move(done), profile_of(account));
          });
        });
      });
}

void Service::log_in(std::string handle, std::string password, std::string device_name, Executor& on,
                     Callback<IssuedToken> done) {
  if (!is_name(device_name, 0)) {
    return tell<IssuedToken>(on, std::move(done),
                             problem(Code::bad_request, "A device name is at most 100 characters."));
  }
  if (password.size() > 1024) return tell<IssuedToken>(on, std::move(done), problem(Code::unauthenticated));

  auto* state = state_.get();
  State::go_home(state->parts.home, state->alive,
                 [state, handle = std::move(handle), password = std::move(password),
                  device_name = std::move(device_name), &on, done = std::move(done)]() mutable {
                   if (!state->take_hash_place())
                     return tell<IssuedToken>(on, std::move(done), problem(Code::busy));
                   auto find = [handle = std::move(handle)](ports::Accounts& accounts) {
                     return accounts.find_by_handle(handle);
                   };
                   state->ask_sql(
                       std::move(find),
                       [state, password = std::move(password), device_name = std::move(device_name), &on,
                        done = std::move(done)](Answer<std::optional<Account>> found) mutable {
                         if (!found) {
                           --state->hashes_queued;
                           return tell<IssuedToken>(on, std::move(done), problem(found.error().code));
                         }
                         // An unknown handle costs as much as a known one.
                         const std::string hash = *found ? (*found)->password_hash : state->dummy_hash;
                         auto verify = [password = std::move(password), hash]() mutable {
                           return verify_password(std::move(password), hash);
                         };
                         state->ask_hashing(std::move(verify), [state, account = std::move(*found),
                                                                device_name = std::move(device_name), &on,
                                                                done = std::move(done)](bool right) mutable {
                           if (!right || !account)
                             return tell<IssuedToken>(on, std::move(done), problem(Code::unauthenticated));
                           state->issue(*account, std::move(device_name), on, std::move(done));
                         });
                       });
                 });
}

void Service::State::issue(const Account& account, std::string device_name, Executor& on,
                           Callback<IssuedToken> done) {
  if (removals_are_full()) return tell<IssuedToken>(on, std::move(done), problem(Code::busy));
  retry_removals();
  std::string token = make_token(parts.random);
  const base::WallTime now = parts.clock.wall();
  Device device{.device = {random_id(parts.random)},
                .user = account.user,
                .name = std::move(device_name),
                .token = hash_of(token),
                .created = now,
                .expires = now + std::chrono::duration_cast<base::milliseconds>(parts.limits.token_lifetime)};
  auto add = [device](ports::Accounts& accounts) { return accounts.add_device(device); };
  ask_sql(std::move(add),
          [this, device, token = std::move(token), &on, done = std::move(done)](Answer<void> added) mutable {
            if (!added) return tell<IssuedToken>(on, std::move(done), problem(added.error().code));
            issued(device, std::move(token), on, std::move(done));
          });
}

// The device is stored; those beyond the limit go before the log-in is answered.
void Service::State::issued(const Device& device, std::string token, Executor& on,
                            Callback<IssuedToken> done) {
  tokens.add(device);
  std::vector<ports::TokenHash> evicted;
  while (const auto oldest = tokens.oldest_beyond(device.user, parts.limits.devices_max, device.device)) {
    evicted.push_back(*oldest);
    revoke(*oldest);
  }
  IssuedToken issued{std::move(token), {device.user, device.device}, device.expires};
  if (evicted.empty()) return tell<IssuedToken>(on, std::move(done), std::move(issued));
  remove(std::move(evicted), [issued = std::move(issued), &on, done = std::move(done)](size_t) mutable {
    tell<IssuedToken>(on, std::move(done), std::move(issued));
  });
}

std::vector<ports::TokenHash> Service::State::waiting_removals() const {
  std::vector<ports::TokenHash> waiting;
  for (const auto& [token, removal] : removals) {
    if (!removal.under_way) waiting.push_back(token);
  }
  return waiting;
}

void Service::State::remove(std::vector<ports::TokenHash> revoked, base::UniqueFunction<void(size_t)> then) {
  std::vector<model::DeviceId> devices;
  for (const auto& token : revoked) {
    auto& removal = removals.at(token);
    removal.under_way = true;
    devices.push_back(removal.device);
  }
  auto call = [devices = std::move(devices)](ports::Accounts& accounts) {
    size_t removed = 0;
    while (removed < devices.size() && accounts.remove_device(devices[removed])) ++removed;
    return removed;
  };
  ask_sql(std::move(call), [this, revoked = std::move(revoked),
                            then = std::move(then)](size_t removed) mutable {
    for (size_t i = 0; i < revoked.size(); ++i) {
      const auto found = removals.find(revoked[i]);
      if (found == removals.end()) continue;  // another call removed it
      if (i < removed)
        removals.erase(found);
      else
        found->second.under_way = false;
    }
    if (removed < revoked.size()) {
      base::log_warning("account: {} logged-out devices are not removed from the table yet", removals.size());
      if (!std::exchange(removal_timer, true)) {
        parts.home.after(removal_pause, [this, token = std::weak_ptr(alive)] {
          if (token.expired()) return;
          removal_timer = false;
          retry_removals();
        });
      }
    }
    then(removed);
  });
}

void Service::State::retry_removals() {
  auto waiting = waiting_removals();
  if (!waiting.empty()) remove(std::move(waiting), [](size_t) {});
}

void Service::log_out(std::string token, Executor& on, Callback<void> done) {
  auto* state = state_.get();
  State::go_home(state->parts.home, state->alive,
                 [state, hash = hash_of(token), &on, done = std::move(done)]() mutable {
                   const auto* row = state->tokens.find(hash);
                   const bool alive = row && state->parts.clock.wall() < row->expires;
                   if (!alive && !state->removals.contains(hash))
                     return tell<void>(on, std::move(done), problem(Code::unauthenticated));
                   if (alive) {
                     // Better still logged in, and told so, than back after a restart.
                     if (state->removals_are_full())
                       return tell<void>(on, std::move(done), problem(Code::busy));
                     state->revoke(hash);
                   }
                   auto tokens = state->waiting_removals();
                   std::erase(tokens, hash);
                   tokens.insert(tokens.begin(), hash);
                   state->remove(std::move(tokens), [&on, done = std::move(done)](size_t removed) mutable {
                     if (removed == 0) return tell<void>(on, std::move(done), problem(Code::internal));
                     tell<void>(on, std::move(done), {});
                   });
                 });
}

void Service::authenticate(std::string token, Executor& on, Callback<Identity> done) {
  auto* state = state_.get();
  State::go_home(state->parts.home, state->alive,
                 [state, hash = hash_of(token), &on, done = std::move(done)]() mutable {
                   const auto* row = state->tokens.find(hash);
                   if (!row) return tell<Identity>(on, std::move(done), problem(Code::unauthenticated));
                   if (state->parts.clock.wall() >= row->expires) {
                     return tell<Identity>(on, std::move(done), problem(Code::token_expired));
                   }
                   tell<Identity>(on, std::move(done), Identity{row->user, row->device});
                 });
}

void Service::find_by_handle(std::string handle, Executor& on, Callback<std::optional<Profile>> done) {
  if (!is_handle(handle)) return tell<std::optional<Profile>>(on, std::move(done), std::optional<Profile>());
  auto* state = state_.get();
  State::go_home(state->parts.home, state->alive,
                 [state, handle = std::move(handle), &on, done = std::move(done)]() mutable {
                   auto find = [handle = std::move(handle)](
                                   ports::Accounts& accounts) -> Answer<std::optional<Profile>> {
                     auto found = accounts.find_by_handle(handle);
                     if (!found) return base::fail(found.error());
                     return *found ? std::optional(profile_of(**found)) : std::nullopt;
                   };
                   state->query<std::optional<Profile>>(on, std::move(done), std::move(find));
                 });
}

void Service::find_by_ids(std::vector<model::UserId> users, Executor& on,
                          Callback<std::vector<Profile>> done) {
  auto* state = state_.get();
  State::go_home(
      state->parts.home, state->alive,
      [state, users = std::move(users), &on, done = std::move(done)]() mutable {
        auto find = [users = std::move(users)](ports::Accounts& accounts) -> Answer<std::vector<Profile>> {
          auto found = accounts.find_by_ids(users);
          if (!found) return base::fail(found.error());
          std::vector<Profile> profiles;
          for (const auto& account : *found) profiles.push_back(profile_of(account));
          return profiles;
        };
        state->query<std::vector<Profile>>(on, std::move(done), std::move(find));
      });
}

void Service::on_revoked(Executor& on, std::function<void(model::DeviceId)> listener) {
  auto* state = state_.get();
  State::go_home(state->parts.home, state->alive, [state, &on, listener = std::move(listener)] {
    state->listeners.push_back({on, listener});
  });
}

}  // namespace tidings::account
