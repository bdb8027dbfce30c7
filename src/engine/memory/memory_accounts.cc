#include "engine/memory/memory_accounts.h"

#include <algorithm>
#include <tuple>

namespace tidings::memory {

using base::MutexLock;
using ports::Account;
using ports::Device;
using wire::Answer;
using wire::Code;

MemoryAccounts::MemoryAccounts(Hook hook) : hook_(std::move(hook)) {}

Answer<void> MemoryAccounts::insert(const Account& account) {
  if (tables_.handles.contains(account.handle) || tables_.accounts.contains(account.user)) {
    return wire::problem(Code::exists);
  }
  tables_.accounts[account.user] = account;
  tables_.handles[account.handle] = account.user;
  return {};
}

Answer<void> MemoryAccounts::add_account(const Account& account) {
  called("add_account");
  MutexLock lock(mutex_);
  return insert(account);
}

bool MemoryAccounts::invited(const std::optional<ports::TokenHash>& invite, base::WallTime now) const {
  if (tables_.accounts.empty()) return true;
  const auto found = invite ? tables_.invites.find(*invite) : tables_.invites.end();
  return found != tables_.invites.end() && found->second.expires > now;
}

Answer<bool> MemoryAccounts::is_invited(const std::optional<ports::TokenHash>& invite, base::WallTime now) {
  called("is_invited");
  MutexLock lock(mutex_);
  return invited(invite, now);
}

Answer<void> MemoryAccounts::add_invited_account(const Account& account,
                                                 const std::optional<ports::TokenHash>& invite,
                                                 base::WallTime now) {
  called("add_invited_account");
  MutexLock lock(mutex_);
  if (!invited(invite, now)) return wire::problem(Code::forbidden);
  if (auto added = insert(account); !added) return added;
  if (invite) tables_.invites.erase(*invite);
  return {};
}

Answer<void> MemoryAccounts::add_invite(const ports::Invite& invite, size_t invites_max, base::WallTime now) {
  called("add_invite");
  MutexLock lock(mutex_);
  std::erase_if(tables_.invites, [&](const auto& row) { return row.second.expires <= now; });
  const auto mine = std::count_if(tables_.invites.begin(), tables_.invites.end(),
                                  [&](const auto& row) { return row.second.by == invite.by; });
  if (static_cast<size_t>(mine) >= invites_max) return wire::problem(Code::limit);
  if (!tables_.accounts.contains(invite.by) || !tables_.invites.emplace(invite.code, invite).second) {
    return wire::problem(Code::internal);
  }
  return {};
}

Answer<std::optional<Account>> MemoryAccounts::find_by_handle(const std::string& handle) {
  called("find_by_handle");
  MutexLock lock(mutex_);
  const auto found = tables_.handles.find(handle);
  return found == tables_.handles.end() ? std::nullopt : std::optional(tables_.accounts.at(found->second));
}

Answer<std::vector<Account>> MemoryAccounts::find_by_ids(const std::vector<model::UserId>& users) {
  called("find_by_ids");
  MutexLock lock(mutex_);
  std::vector<Account> out;
  for (const model::UserId user : std::set(users.begin(), users.end())) {
    const auto found = tables_.accounts.find(user);
    if (found != tables_.accounts.end()) out.push_back(found->second);
  }
  return out;
}

Answer<bool> MemoryAccounts::set_display_name(model::UserId user, const std::string& display_name) {
  called("set_display_name");
  MutexLock lock(mutex_);
  const auto found = tables_.accounts.find(user);
  if (found == tables_.accounts.end()) return false;
  found->second.display_name = display_name;
  return true;
}

Answer<bool> MemoryAccounts::change_password(model::UserId user, const std::string& old_hash,
                                             const std::string& new_hash, model::DeviceId keep) {
  called("change_password");
  MutexLock lock(mutex_);
  const auto found = tables_.accounts.find(user);
  if (found == tables_.accounts.end() || found->second.password_hash != old_hash) return false;
  found->second.password_hash = new_hash;
  for (const auto& [id, device] : tables_.devices) {
    if (device.user == user && id != keep) tables_.removing.insert(id);
  }
  return true;
}

Device* MemoryAccounts::active(model::DeviceId device) {
  const auto found = tables_.devices.find(device);
  if (found == tables_.devices.end() || tables_.removing.contains(device)) return nullptr;
  return &found->second;
}

Answer<void> MemoryAccounts::add_device(const Device& device) {
  called("add_device");
  MutexLock lock(mutex_);
  const auto same_family = [&](const auto& row) {
    return device.chain && row.second.chain && row.second.chain->family == device.chain->family;
  };
  if (!tables_.accounts.contains(device.user) || tables_.devices.contains(device.device) ||
      tables_.tokens.contains(device.token) ||
      std::any_of(tables_.devices.begin(), tables_.devices.end(), same_family)) {
    return wire::problem(Code::internal);
  }
  tables_.devices[device.device] = device;
  tables_.tokens.insert(device.token);
  return {};
}

Answer<std::vector<Device>> MemoryAccounts::devices() {
  called("devices");
  MutexLock lock(mutex_);
  std::vector<Device> out;
  for (const auto& [id, device] : tables_.devices) {
    if (!tables_.removing.contains(id)) out.push_back(device);
  }
  return out;
}

Answer<std::vector<Device>> MemoryAccounts::devices_of(model::UserId user) {
  called("devices_of");
  MutexLock lock(mutex_);
  std::vector<Device> out;
  for (const auto& [id, device] : tables_.devices) {
    if (device.user == user && !tables_.removing.contains(id)) out.push_back(device);
  }
  std::ranges::sort(out, {}, [](const Device& d) { return std::tuple(d.created, d.device); });
  return out;
}

Answer<bool> MemoryAccounts::rotate_tokens(const Device& device) {
  called("rotate_tokens");
  MutexLock lock(mutex_);
  Device* row = active(device.device);
  if (!row) return false;
  tables_.tokens.erase(row->token);
  tables_.tokens.insert(device.token);
  row->token = device.token;
  row->expires = device.expires;
  row->chain = device.chain;
  return true;
}

Answer<bool> MemoryAccounts::mark_used(model::DeviceId device) {
  called("mark_used");
  MutexLock lock(mutex_);
  Device* row = active(device);
  if (row && row->chain) row->chain->used = true;
  return row != nullptr;
}

Answer<bool> MemoryAccounts::rename_device(model::UserId user, model::DeviceId device,
                                           const std::string& name) {
  called("rename_device");
  MutexLock lock(mutex_);
  Device* row = active(device);
  if (!row || row->user != user) return false;
  row->name = name;
  return true;
}

Answer<void> MemoryAccounts::set_seen(const std::vector<std::pair<model::DeviceId, base::WallTime>>& seen) {
  called("set_seen");
  MutexLock lock(mutex_);
  for (const auto& [device, time] : seen) {
    if (Device* row = active(device)) row->seen = time;
  }
  return {};
}

Answer<void> MemoryAccounts::begin_removals(const std::vector<model::DeviceId>& devices) {
  called("begin_removals");
  MutexLock lock(mutex_);
  for (const model::DeviceId device : devices) {
    if (tables_.devices.contains(device)) tables_.removing.insert(device);
  }
  return {};
}

Answer<size_t> MemoryAccounts::finish_removals() {
  called("finish_removals");
  MutexLock lock(mutex_);
  const size_t removed = tables_.removing.size();
  for (const model::DeviceId device : tables_.removing) {
    tables_.tokens.erase(tables_.devices.at(device).token);
    tables_.devices.erase(device);
  }
  tables_.removing.clear();
  return removed;
}

MemoryAccounts::Snapshot MemoryAccounts::snapshot() const {
  MutexLock lock(mutex_);
  Snapshot out;
  out.tables_ = tables_;
  return out;
}

void MemoryAccounts::restore(const Snapshot& snapshot) {
  MutexLock lock(mutex_);
  tables_ = snapshot.tables_;
}

}  // namespace tidings::memory
