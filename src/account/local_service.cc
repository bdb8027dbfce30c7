#include "account/local_service.h"

#include <sodium.h>

#include "account/local_service_state.h"
#include "base/log_line.h"

namespace tidings::account {

namespace {

constexpr const char* sign_up_is_closed =
    "Sign-up is closed on this server; whoever runs it can make an account.";
constexpr const char* invite_is_needed =
    "This server takes new people by invite, and this invite is missing, unknown, used or expired.";

base::milliseconds whole_ms(base::nanoseconds duration) {
  return std::chrono::duration_cast<base::milliseconds>(duration);
}

}  // namespace

LocalService::LocalService(Parts parts) : state_(new State(std::move(parts))) {}
LocalService::~LocalService() = default;

base::Status LocalService::start() {
  if (sodium_init() < 0) return base::failure("libsodium cannot start.");
  auto& state = *state_;
  auto dummy = hash_password("nobody's password", state.parts.cost);
  if (!dummy) return base::failure("There is not enough memory to hash a password.");
  state.dummy_hash = std::move(*dummy);
  // What the last run began and did not finish. They are not among devices() in any case.
  if (const auto finished = state.parts.accounts.finish_removals(); !finished) {
    base::log_warning("account: removed devices cannot be deleted; they stay logged out");
  }
  const auto devices = state.parts.accounts.devices();
  if (!devices) return base::failure("The tokens cannot be read.");
  for (const auto& device : *devices) state.tokens.add(device);
  state.metrics.devices.set(static_cast<int64_t>(state.tokens.size()));
  return {};
}

void LocalService::register_account(std::string handle, std::string password, std::string display_name,
                                    Executor& on, Callback<Profile> done, std::string invite) {
  auto* state = state_.get();
  if (state->parts.sign_up == SignUp::closed) {
    return tell<Profile>(on, std::move(done), problem(Code::forbidden, sign_up_is_closed));
  }
  const char* wrong = nullptr;
  if (!is_handle(handle))
    wrong = "A handle is 3 to 32 characters of a-z, 0-9 and _.";
  else if (!is_password(password))
    wrong = "A password is 8 to 1,024 bytes.";
  else if (!is_name(display_name, 1))
    wrong = "A display name is 1 to 100 characters.";
  if (wrong) return tell<Profile>(on, std::move(done), problem(Code::bad_request, wrong));

  Account account{{}, std::move(handle), std::move(display_name), ""};
  std::optional<ports::TokenHash> code;
  if (!invite.empty()) code = hash_of(invite);
  State::go_home(state->parts.home, state->alive,
                 [state, account = std::move(account), password = std::move(password), code, &on,
                  done = std::move(done)]() mutable {
                   state->add_account(std::move(account), std::move(password), code, on, std::move(done));
                 });
}

void LocalService::State::add_account(Account account, std::string password,
                                      std::optional<ports::TokenHash> invite, Executor& on,
                                      Callback<Profile> done) {
  if (!take_hash_place()) return tell<Profile>(on, std::move(done), problem(Code::busy));
  account.user = {make_id(parts.random)};
  const bool invited = parts.sign_up == SignUp::invite;
  auto add = [this, account, invite, invited, &on](std::optional<std::string> hashed,
                                                   Callback<Profile> tell_it) mutable {
    if (!hashed) return tell<Profile>(on, std::move(tell_it), problem(Code::internal));
    account.password_hash = std::move(*hashed);
    retry_removals();
    auto call = [account, invite, invited, now = parts.clock.wall()](Accounts& accounts) {
      return invited ? accounts.add_invited_account(account, invite, now) : accounts.add_account(account);
    };
    ask_sql(std::move(call), [account, &on, tell_it = std::move(tell_it)](Answer<void> added) mutable {
      if (added) return tell<Profile>(on, std::move(tell_it), profile_of(account));
      const Code code = added.error().code;
      tell<Profile>(on, std::move(tell_it), problem(code, code == Code::forbidden ? invite_is_needed : ""));
    });
  };
  auto hash = [this, password = std::move(password),
               add = std::move(add)](Callback<Profile> tell_it) mutable {
    ask_hashing(
        [password = std::move(password), cost = parts.cost]() mutable {
          return hash_password(std::move(password), cost);
        },
        [add = std::move(add), tell_it = std::move(tell_it)](std::optional<std::string> hashed) mutable {
          add(std::move(hashed), std::move(tell_it));
        });
  };
  if (!invited) return hash(std::move(done));
  // Nobody without an invite makes the server hash.
  auto ask = [invite, now = parts.clock.wall()](Accounts& accounts) {
    return accounts.is_invited(invite, now);
  };
  ask_sql(std::move(ask),
          [this, &on, hash = std::move(hash), done = std::move(done)](Answer<bool> may) mutable {
            if (may && *may) return hash(std::move(done));
            --hashes_queued;
            if (!may) return tell<Profile>(on, std::move(done), problem(may.error().code));
            tell<Profile>(on, std::move(done), problem(Code::forbidden, invite_is_needed));
          });
}

void LocalService::make_invite(Identity who, Executor& on, Callback<IssuedInvite> done) {
  auto* state = state_.get();
  if (state->parts.sign_up == SignUp::closed) {
    return tell<IssuedInvite>(on, std::move(done), problem(Code::forbidden, sign_up_is_closed));
  }
  State::go_home(state->parts.home, state->alive, [state, who, &on, done = std::move(done)]() mutable {
    const auto& limits = state->parts.limits;
    const base::WallTime now = state->parts.clock.wall();
    IssuedInvite issued{make_invite_code(state->parts.random), now + whole_ms(limits.invite_lifetime)};
    const ports::Invite invite{hash_of(issued.code), who.user, issued.expires};
    auto add = [invite, now, most = limits.invites_max](Accounts& accounts) {
      return accounts.add_invite(invite, most, now);
    };
    state->query<IssuedInvite>(
        on, std::move(done), std::move(add),
        [state, issued = std::move(issued)](Answer<void> added) -> Answer<IssuedInvite> {
          if (added) return issued;
          if (added.error().code != Code::limit) return problem(added.error().code);
          state->metrics.invites_refused.add();
          return problem(Code::limit, "Too many of your invites are unused; wait until one expires.");
        });
  });
}

void LocalService::set_display_name(model::UserId user, std::string display_name, Executor& on,
                                    Callback<Profile> done) {
  if (!is_name(display_name, 1)) {
    return tell<Profile>(on, std::move(done),
                         problem(Code::bad_request, "A display name is 1 to 100 characters."));
  }
  auto* state = state_.get();
  State::go_home(
      state->parts.home, state->alive,
      [state, user, display_name = std::move(display_name), &on, done = std::move(done)]() mutable {
        auto change = [user, display_name = std::move(display_name)](Accounts& accounts) -> Answer<Profile> {
          const auto changed = accounts.set_display_name(user, display_name);
          if (!changed) return problem(changed.error().code);
          const auto found = accounts.find_by_ids({user});
          if (!found) return problem(found.error().code);
          if (found->empty()) return problem(Code::not_found);
          return profile_of(found->front());
        };
        state->query<Profile>(on, std::move(done), std::move(change));
      });
}

void LocalService::find_by_handle(std::string handle, Executor& on, Callback<std::optional<Profile>> done) {
  if (!is_handle(handle)) return tell<std::optional<Profile>>(on, std::move(done), std::optional<Profile>());
  auto* state = state_.get();
  State::go_home(
      state->parts.home, state->alive,
      [state, handle = std::move(handle), &on, done = std::move(done)]() mutable {
        auto find = [handle = std::move(handle)](Accounts& accounts) -> Answer<std::optional<Profile>> {
          auto found = accounts.find_by_handle(handle);
          if (!found) return base::fail(found.error());
          return *found ? std::optional(profile_of(**found)) : std::nullopt;
        };
        state->query<std::optional<Profile>>(on, std::move(done), std::move(find));
      });
}

void LocalService::find_by_ids(std::vector<model::UserId> users, Executor& on,
                               Callback<std::vector<Profile>> done) {
  auto* state = state_.get();
  State::go_home(
      state->parts.home, state->alive,
      [state, users = std::move(users), &on, done = std::move(done)]() mutable {
        auto find = [users = std::move(users)](Accounts& accounts) -> Answer<std::vector<Profile>> {
          auto found = accounts.find_by_ids(users);
          if (!found) return base::fail(found.error());
          std::vector<Profile> profiles;
          for (const auto& account : *found) profiles.push_back(profile_of(account));
          return profiles;
        };
        state->query<std::vector<Profile>>(on, std::move(done), std::move(find));
      });
}

void LocalService::on_revoked(Executor& on, std::function<void(model::DeviceId)> listener) {
  auto* state = state_.get();
  State::go_home(state->parts.home, state->alive, [state, &on, listener = std::move(listener)] {
    state->listeners.push_back({on, listener});
  });
}

}  // namespace tidings::account
