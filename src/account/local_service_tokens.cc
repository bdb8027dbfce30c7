// Log-in, refresh, and who a token is.
#include "account/local_service_state.h"
#include "base/log_line.h"

namespace tidings::account {

namespace {

constexpr size_t password_bytes_max = 1024;

base::WallTime later(base::WallTime now, base::nanoseconds lifetime) {
  return now + std::chrono::duration_cast<base::milliseconds>(lifetime);
}

// Everything that is no handle counts as one.
std::string handle_key(const std::string& handle) {
  return is_handle(handle) ? handle : "?";
}

}  // namespace

// --- pauses

std::optional<wire::Problem> LocalService::State::pause_of(const std::string& handle,
                                                           const std::string& address) {
  const auto now = parts.clock.monotonic();
  auto wait = pauses.take(address, parts.limits.log_in_failures_address, now);
  if (wait == base::nanoseconds::zero()) {
    wait = pauses.take(handle_key(handle), parts.limits.log_in_failures_handle, now);
  }
  if (wait == base::nanoseconds::zero()) return std::nullopt;
  metrics.log_ins_paused.add();
  const auto ms = std::chrono::ceil<base::milliseconds>(wait).count();
  return wire::Problem{Code::rate_limited, "Too many wrong passwords; please wait a moment.",
                       static_cast<uint64_t>(ms)};
}

void LocalService::State::wrong_password(const std::string& handle, const std::string& address) {
  const auto now = parts.clock.monotonic();
  pauses.failed(handle_key(handle), parts.limits.log_in_failures_handle, now);
  pauses.failed(address, parts.limits.log_in_failures_address, now);
  metrics.log_ins_wrong.add();
  metrics.failures_remembered.set(static_cast<int64_t>(pauses.size()));
}

// --- log-in

void LocalService::log_in(std::string handle, std::string password, std::string device_name, Executor& on,
                          Callback<IssuedToken> done, const std::string& address) {
  if (!is_name(device_name, 0)) {
    return tell<IssuedToken>(on, std::move(done),
                             problem(Code::bad_request, "A device name is at most 100 characters."));
  }
  if (password.size() > password_bytes_max)
    return tell<IssuedToken>(on, std::move(done), problem(Code::unauthenticated));

  auto* state = state_.get();
  auto verified = [state, handle, address = address_block(address), device_name = std::move(device_name),
                   &on](std::optional<Account> account, bool right, Callback<IssuedToken> tell_it) mutable {
    if (!right || !account) {
      state->wrong_password(handle, address);
      return tell<IssuedToken>(on, std::move(tell_it), problem(Code::unauthenticated));
    }
    state->pauses.forget(handle);
    state->issue(*account, std::move(device_name), on, std::move(tell_it));
  };
  auto found = [state, password = std::move(password), verified = std::move(verified), &on](
                   Answer<std::optional<Account>> answer, Callback<IssuedToken> tell_it) mutable {
    if (!answer) {
      --state->hashes_queued;
      return tell<IssuedToken>(on, std::move(tell_it), problem(answer.error().code));
    }
    // An unknown handle costs as much as a known one.
    const std::string hash = *answer ? (*answer)->password_hash : state->dummy_hash;
    auto verify = [password = std::move(password), hash]() mutable {
      return verify_password(std::move(password), hash);
    };
    state->ask_hashing(std::move(verify), [account = std::move(*answer), verified = std::move(verified),
                                           tell_it = std::move(tell_it)](bool right) mutable {
      verified(std::move(account), right, std::move(tell_it));
    });
  };
  State::go_home(state->parts.home, state->alive,
                 [state, handle, address = address_block(address), found = std::move(found), &on,
                  done = std::move(done)]() mutable {
                   if (auto wait = state->pause_of(handle, address))
                     return tell<IssuedToken>(on, std::move(done), base::fail(std::move(*wait)));
                   if (!state->take_hash_place())
                     return tell<IssuedToken>(on, std::move(done), problem(Code::busy));
                   auto find = [handle](Accounts& accounts) { return accounts.find_by_handle(handle); };
                   state->ask_sql(std::move(find), [found = std::move(found), done = std::move(done)](
                                                       Answer<std::optional<Account>> answer) mutable {
                     found(std::move(answer), std::move(done));
                   });
                 });
}

void LocalService::State::issue(const Account& account, std::string device_name, Executor& on,
                                Callback<IssuedToken> done) {
  if (removals_are_full()) return tell<IssuedToken>(on, std::move(done), problem(Code::busy));
  retry_removals();
  const base::WallTime now = parts.clock.wall();
  const std::string family = make_family(parts.random);
  IssuedToken issued_now{make_token(parts.random),
                         {account.user, {make_id(parts.random)}},
                         later(now, parts.limits.token_lifetime),
                         make_refresh_token(family, parts.random),
                         later(now, parts.limits.refresh_lifetime)};
  Device device{
      .device = issued_now.identity.device,
      .user = account.user,
      .name = std::move(device_name),
      .token = hash_of(issued_now.token),
      .created = now,
      .expires = issued_now.expires,
      .seen = now,
      .chain = ports::RefreshChain{hash_of(family), hash_of(issued_now.refresh), issued_now.refresh_expires}};
  // The password may have been changed while this one was verified: then nobody comes in by it. Nothing comes
  // between, because Accounts is called from one thread.
  auto add = [device, handle = account.handle,
              hash = account.password_hash](Accounts& accounts) -> Answer<void> {
    const auto found = accounts.find_by_handle(handle);
    if (!found) return problem(found.error().code);
    if (!*found || (*found)->password_hash != hash) return problem(Code::unauthenticated);
    return accounts.add_device(device);
  };
  ask_sql(std::move(add), [this, device, issued_now = std::move(issued_now), &on,
                           done = std::move(done)](Answer<void> added) mutable {
    if (!added) return tell<IssuedToken>(on, std::move(done), problem(added.error().code));
    issued(device, std::move(issued_now), on, std::move(done));
  });
}

// The device is stored; those beyond the limit go before the log-in is answered.
void LocalService::State::issued(const Device& device, IssuedToken issued, Executor& on,
                                 Callback<IssuedToken> done) {
  tokens.add(device);
  metrics.devices.set(static_cast<int64_t>(tokens.size()));
  metrics.log_ins.add();
  std::vector<model::DeviceId> evicted;
  while (const auto oldest = tokens.oldest_beyond(device.user, parts.limits.devices_max, device.device)) {
    evicted.push_back(*oldest);
    revoke(*oldest);
  }
  if (evicted.empty()) return tell<IssuedToken>(on, std::move(done), std::move(issued));
  remove(evicted, [issued = std::move(issued), &on, done = std::move(done)](bool) mutable {
    tell<IssuedToken>(on, std::move(done), std::move(issued));
  });
}

// --- refresh

void LocalService::refresh(std::string refresh, Executor& on, Callback<IssuedToken> done) {
  auto* state = state_.get();
  State::go_home(state->parts.home, state->alive,
                 [state, refresh = std::move(refresh), &on, done = std::move(done)]() mutable {
                   const auto family = family_of(refresh);
                   auto* row = family ? state->tokens.find_family(hash_of(*family)) : nullptr;
                   if (!row) return tell<IssuedToken>(on, std::move(done), problem(Code::unauthenticated));
                   const auto& chain = *row->device.chain;
                   const auto hash = hash_of(refresh);
                   const bool newest = hash == chain.current;
                   // The answer with the newest pair was lost.
                   const bool again = chain.previous == hash && !chain.used;
                   if (!newest && !again) return state->reused(*row, on, std::move(done));
                   if (state->parts.clock.wall() >= chain.expires)
                     return tell<IssuedToken>(on, std::move(done), problem(Code::token_expired));
                   if (row->rotating) return tell<IssuedToken>(on, std::move(done), problem(Code::busy));
                   state->rotate(*row, *family, again, on, std::move(done));
                 });
}

void LocalService::State::rotate(TokenTable::Row& row, std::string_view family, bool again, Executor& on,
                                 Callback<IssuedToken> done) {
  if (queries_in_flight >= parts.limits.queries_in_flight_max)
    return tell<IssuedToken>(on, std::move(done), problem(Code::busy));
  const base::WallTime now = parts.clock.wall();
  Device device = row.device;
  auto& chain = *device.chain;
  IssuedToken issued{make_token(parts.random),
                     {device.user, device.device},
                     later(now, parts.limits.token_lifetime),
                     make_refresh_token(family, parts.random),
                     later(now, parts.limits.refresh_lifetime)};
  // Of a pair that nobody got nothing stays; the one before it is still the previous one.
  if (!again) {
    chain.previous = chain.current;
    chain.previous_token = device.token;
    chain.previous_expires = std::min(device.expires, later(now, parts.limits.rotated_token_lifetime));
  }
  device.token = hash_of(issued.token);
  device.expires = issued.expires;
  chain.current = hash_of(issued.refresh);
  chain.expires = issued.refresh_expires;
  chain.used = false;
  row.rotating = true;
  ++queries_in_flight;
  auto write = [device](Accounts& accounts) { return accounts.rotate_tokens(device); };
  ask_sql(std::move(write), [this, device, issued = std::move(issued), &on,
                             done = std::move(done)](Answer<bool> written) mutable {
    --queries_in_flight;
    auto* kept = tokens.find(device.device);
    if (kept) kept->rotating = false;
    if (!written) return tell<IssuedToken>(on, std::move(done), problem(written.error().code));
    if (!kept || !*written) return tell<IssuedToken>(on, std::move(done), problem(Code::unauthenticated));
    tokens.rotate(device);
    saw(*kept);
    metrics.refreshes.add();
    tell<IssuedToken>(on, std::move(done), std::move(issued));
  });
}

// Two have this device's refresh tokens, and nobody knows who of them may.
void LocalService::State::reused(TokenTable::Row& row, Executor& on, Callback<IssuedToken> done) {
  if (removals_are_full()) return tell<IssuedToken>(on, std::move(done), problem(Code::busy));
  const model::DeviceId device = row.device.device;
  base::log_warning("account: a refresh token of device {} was used twice; the device is logged out",
                    device.value);
  metrics.refreshes_reused.add();
  revoke(device);
  remove({device}, [&on, done = std::move(done)](bool) mutable {
    tell<IssuedToken>(
        on, std::move(done),
        problem(Code::unauthenticated, "This refresh token was used before; its device is logged out."));
  });
}

// --- who a token is

void LocalService::authenticate(std::string token, Executor& on, Callback<Identity> done) {
  auto* state = state_.get();
  State::go_home(
      state->parts.home, state->alive, [state, hash = hash_of(token), &on, done = std::move(done)]() mutable {
        const auto presented = state->tokens.find(hash);
        if (!presented.row) return tell<Identity>(on, std::move(done), problem(Code::unauthenticated));
        if (state->parts.clock.wall() >= presented.expires)
          return tell<Identity>(on, std::move(done), problem(Code::token_expired));
        auto& device = presented.row->device;
        const Identity who{device.user, device.device};
        state->saw(*presented.row);
        const bool first_use =
            presented.newest && device.chain && device.chain->previous && !device.chain->used;
        if (!first_use) return tell<Identity>(on, std::move(done), who);
        // From now on the refresh token before is a stolen one, also after a restart. If it cannot
        // be written that is no reason to keep somebody out.
        device.chain->used = true;
        auto mark = [id = device.device](Accounts& accounts) { return accounts.mark_used(id); };
        state->ask_sql(std::move(mark),
                       [state, hash, who, &on, done = std::move(done)](Answer<bool>) mutable {
                         // It may have been logged out meanwhile, and who was told of that did not know it
                         // yet.
                         if (!state->tokens.find(hash).row)
                           return tell<Identity>(on, std::move(done), problem(Code::unauthenticated));
                         tell<Identity>(on, std::move(done), who);
                       });
      });
}

}  // namespace tidings::account
