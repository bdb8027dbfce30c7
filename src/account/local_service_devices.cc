// Log-out, devices, passwords: how log-ins end.
#include "account/local_service_state.h"
#include "base/log_line.h"

namespace tidings::account {

namespace {

constexpr base::nanoseconds removal_pause = std::chrono::seconds(5);
constexpr base::nanoseconds seen_pause = std::chrono::seconds(2);

constexpr const char* old_password_is_wrong = "The old password is not right.";

}  // namespace

// --- removal

void LocalService::State::forget(model::DeviceId device) {
  tokens.remove(device);
  seen.erase(device);
  metrics.devices.set(static_cast<int64_t>(tokens.size()));
  for (const auto& listener : listeners) {
    listener.on.post([call = listener.call, device] { call(device); });
  }
}

void LocalService::State::revoke(model::DeviceId device) {
  const Device& row = tokens.find(device)->device;
  removals[device] = {row.token, row.chain ? row.chain->previous_token : std::nullopt, row.user};
  metrics.removals_waiting.set(static_cast<int64_t>(removals.size()));
  forget(device);
}

void LocalService::State::remove(const std::vector<model::DeviceId>& revoked,
                                 base::UniqueFunction<void(bool)> then) {
  std::set<model::DeviceId> devices(revoked.begin(), revoked.end());
  for (auto& [device, removal] : removals) {
    if (!removal.under_way) devices.insert(device);
    if (devices.contains(device)) removal.under_way = true;
  }
  struct Removed {
    bool begun = false, finished = false;
  };
  std::vector<model::DeviceId> all(devices.begin(), devices.end());
  auto call = [all](Accounts& accounts) {
    Removed removed;
    removed.begun = all.empty() || accounts.begin_removals(all).ok();
    removed.finished = removed.begun && accounts.finish_removals().ok();
    return removed;
  };
  ask_sql(std::move(call), [this, all = std::move(all), then = std::move(then)](Removed removed) mutable {
    for (const model::DeviceId device : all) {
      const auto found = removals.find(device);
      if (found == removals.end()) continue;  // another call removed it
      if (removed.begun)
        removals.erase(found);
      else
        found->second.under_way = false;
    }
    metrics.removals_waiting.set(static_cast<int64_t>(removals.size()));
    if (!removed.begun) {
      base::log_warning("account: that {} devices are logged out is not written down yet", removals.size());
    }
    if (!removed.finished) retry_removals_later();
    then(removed.begun);
  });
}

void LocalService::State::retry_removals_later() {
  if (std::exchange(removal_timer, true)) return;
  parts.home.after(removal_pause, [this, token = std::weak_ptr(alive)] {
    if (token.expired()) return;
    removal_timer = false;
    remove({}, [](bool) {});
  });
}

void LocalService::State::retry_removals() {
  const bool waits =
      std::any_of(removals.begin(), removals.end(), [](const auto& row) { return !row.second.under_way; });
  if (waits) remove({}, [](bool) {});
}

void LocalService::State::end_device(model::DeviceId device, Executor& on, Callback<void> done) {
  remove({device}, [&on, done = std::move(done)](bool removed) mutable {
    if (!removed) return tell<void>(on, std::move(done), problem(Code::internal));
    tell<void>(on, std::move(done), {});
  });
}

void LocalService::log_out(std::string token, Executor& on, Callback<void> done) {
  auto* state = state_.get();
  State::go_home(
      state->parts.home, state->alive, [state, hash = hash_of(token), &on, done = std::move(done)]() mutable {
        const auto presented = state->tokens.find(hash);
        if (presented.row && state->parts.clock.wall() < presented.expires) {
          const model::DeviceId device = presented.row->device.device;
          // Better still logged in, and told so, than back after a restart.
          if (state->removals_are_full()) return tell<void>(on, std::move(done), problem(Code::busy));
          state->revoke(device);
          return state->end_device(device, on, std::move(done));
        }
        const auto waits = std::find_if(state->removals.begin(), state->removals.end(), [&](const auto& row) {
          return row.second.token == hash || row.second.previous_token == hash;
        });
        if (waits == state->removals.end())
          return tell<void>(on, std::move(done), problem(Code::unauthenticated));
        state->end_device(waits->first, on, std::move(done));
      });
}

// --- devices

void LocalService::find_revoked(std::vector<model::DeviceId> devices, Executor& on,
                                Callback<std::vector<model::DeviceId>> done) {
  auto* state = state_.get();
  State::go_home(state->parts.home, state->alive,
                 [state, devices = std::move(devices), &on, done = std::move(done)]() mutable {
                   std::erase_if(devices,
                                 [state](auto device) { return state->tokens.find(device) != nullptr; });
                   tell<std::vector<model::DeviceId>>(on, std::move(done), std::move(devices));
                 });
}

void LocalService::list_devices(model::UserId user, Executor& on, Callback<std::vector<DeviceInfo>> done) {
  auto* state = state_.get();
  State::go_home(state->parts.home, state->alive, [state, user, &on, done = std::move(done)]() mutable {
    auto list = [user](Accounts& accounts) { return accounts.devices_of(user); };
    // Those that were logged out meanwhile are gone, and memory knows better when one was seen.
    const auto shown = [state](Answer<std::vector<Device>> devices) -> Answer<std::vector<DeviceInfo>> {
      if (!devices) return problem(devices.error().code);
      std::vector<DeviceInfo> out;
      for (const Device& device : *devices) {
        const auto* row = state->tokens.find(device.device);
        if (row) out.push_back({device.device, device.name, device.created, row->device.seen});
      }
      return out;
    };
    state->query<std::vector<DeviceInfo>>(on, std::move(done), std::move(list), shown);
  });
}

void LocalService::rename_device(model::UserId user, model::DeviceId device, std::string name, Executor& on,
                                 Callback<void> done) {
  if (!is_name(name, 1)) {
    return tell<void>(on, std::move(done),
                      problem(Code::bad_request, "A device name is 1 to 100 characters."));
  }
  auto* state = state_.get();
  State::go_home(state->parts.home, state->alive,
                 [state, user, device, name = std::move(name), &on, done = std::move(done)]() mutable {
                   const auto* row = state->tokens.find(device);
                   if (!row || row->device.user != user)
                     return tell<void>(on, std::move(done), problem(Code::not_found));
                   auto rename = [user, device, name = std::move(name)](Accounts& accounts) {
                     return accounts.rename_device(user, device, name);
                   };
                   state->query<void>(on, std::move(done), std::move(rename),
                                      [](Answer<bool> renamed) -> Answer<void> {
                                        if (!renamed) return problem(renamed.error().code);
                                        if (!*renamed) return problem(Code::not_found);
                                        return {};
                                      });
                 });
}

void LocalService::remove_device(model::UserId user, model::DeviceId device, Executor& on,
                                 Callback<void> done) {
  auto* state = state_.get();
  State::go_home(state->parts.home, state->alive,
                 [state, user, device, &on, done = std::move(done)]() mutable {
                   const auto waits = state->removals.find(device);
                   if (waits != state->removals.end() && waits->second.user == user)
                     return state->end_device(device, on, std::move(done));
                   const auto* row = state->tokens.find(device);
                   if (!row || row->device.user != user)
                     return tell<void>(on, std::move(done), problem(Code::not_found));
                   if (state->removals_are_full())
                     return tell<void>(on, std::move(done), problem(Code::busy));
                   state->revoke(device);
                   state->end_device(device, on, std::move(done));
                 });
}

void LocalService::State::saw(TokenTable::Row& row) {
  const base::WallTime now = parts.clock.wall();
  const auto since = now - row.device.seen;
  if (since < parts.limits.seen_interval && since > -parts.limits.seen_interval) return;
  row.device.seen = now;
  seen.insert(row.device.device);
  metrics.seen_waiting.set(static_cast<int64_t>(seen.size()));
  if (std::exchange(seen_timer, true)) return;
  parts.home.after(seen_pause, [this, token = std::weak_ptr(alive)] {
    if (!token.expired()) write_seen();
  });
}

void LocalService::State::write_seen() {
  std::vector<std::pair<model::DeviceId, base::WallTime>> rows;
  while (!seen.empty() && rows.size() < parts.limits.seen_rows_max) {
    const auto device = *seen.begin();
    seen.erase(seen.begin());
    if (const auto* row = tokens.find(device)) rows.emplace_back(device, row->device.seen);
  }
  metrics.seen_waiting.set(static_cast<int64_t>(seen.size()));
  seen_timer = !seen.empty();
  if (seen_timer) {
    parts.home.after(seen_pause, [this, token = std::weak_ptr(alive)] {
      if (!token.expired()) write_seen();
    });
  }
  if (rows.empty()) return;
  // A loss costs a minute's truth; the engine has told it.
  ask_sql([rows = std::move(rows)](Accounts& accounts) { return accounts.set_seen(rows).ok(); }, [](bool) {});
}

// --- passwords

void LocalService::change_password(Identity who, std::string old_password, std::string new_password,
                                   Executor& on, Callback<void> done) {
  if (!is_password(new_password)) {
    return tell<void>(on, std::move(done), problem(Code::bad_request, "A password is 8 to 1,024 bytes."));
  }
  if (!is_password(old_password))
    return tell<void>(on, std::move(done), problem(Code::forbidden, old_password_is_wrong));

  struct Hashed {
    bool right = false;
    std::optional<std::string> hash;
  };
  auto* state = state_.get();
  auto stored = [state, who](Answer<bool> changed) -> Answer<void> {
    if (!changed) return problem(changed.error().code);
    if (!*changed) return problem(Code::forbidden, old_password_is_wrong);  // somebody was faster
    for (const model::DeviceId device : state->tokens.devices_of(who.user)) {
      if (device != who.device) state->forget(device);
    }
    state->remove({}, [](bool) {});
    return {};
  };
  auto hashed = [state, who, stored, &on](const Account& account, Hashed result, Callback<void> tell_it) {
    if (!result.right) {
      state->wrong_password(account.handle, "");
      return tell<void>(on, std::move(tell_it), problem(Code::forbidden, old_password_is_wrong));
    }
    state->pauses.forget(account.handle);
    if (!result.hash) return tell<void>(on, std::move(tell_it), problem(Code::internal));
    auto change = [who, old_hash = account.password_hash, hash = *result.hash](Accounts& accounts) {
      return accounts.change_password(who.user, old_hash, hash, who.device);
    };
    state->ask_sql(std::move(change),
                   [stored, &on, tell_it = std::move(tell_it)](Answer<bool> changed) mutable {
                     tell<void>(on, std::move(tell_it), stored(std::move(changed)));
                   });
  };
  auto found = [state, old_password = std::move(old_password), new_password = std::move(new_password), hashed,
                &on](Answer<std::vector<Account>> accounts, Callback<void> tell_it) mutable {
    const auto refuse = [&](wire::Problem why) {
      --state->hashes_queued;
      tell<void>(on, std::move(tell_it), base::fail(std::move(why)));
    };
    if (!accounts) return refuse({accounts.error().code, ""});
    if (accounts->empty()) return refuse({Code::not_found, ""});
    const Account account = accounts->front();
    if (auto wait = state->pause_of(account.handle, "")) return refuse(std::move(*wait));
    auto work = [old_password = std::move(old_password), new_password = std::move(new_password),
                 hash = account.password_hash, cost = state->parts.cost]() mutable {
      Hashed result;
      result.right = verify_password(std::move(old_password), hash);
      if (result.right) result.hash = hash_password(std::move(new_password), cost);
      return result;
    };
    state->ask_hashing(std::move(work),
                       [account, hashed, tell_it = std::move(tell_it)](Hashed result) mutable {
                         hashed(account, std::move(result), std::move(tell_it));
                       });
  };
  State::go_home(state->parts.home, state->alive,
                 [state, who, found = std::move(found), &on, done = std::move(done)]() mutable {
                   if (!state->take_hash_place()) return tell<void>(on, std::move(done), problem(Code::busy));
                   auto find = [who](Accounts& accounts) { return accounts.find_by_ids({who.user}); };
                   state->ask_sql(std::move(find), [found = std::move(found), done = std::move(done)](
                                                       Answer<std::vector<Account>> accounts) mutable {
                     found(std::move(accounts), std::move(done));
                   });
                 });
}

}  // namespace tidings::account
