#include "engine/memory/memory_accounts.h"

namespace tidings::memory {

using base::MutexLock;
using ports::Account;
using ports::Device;
using wire::Answer;
using wire::Code;

MemoryAccounts::MemoryAccounts(Hook hook) : hook_(std::move(hook)) {}

Answer<void> MemoryAccounts::add_account(const Account& account) {
  called("add_account");
  MutexLock lock(mutex_);
  if (tables_.handles.contains(account.handle) || tables_.accounts.contains(account.user)) {
    return wire::problem(Code::exists);
  }
  tables_.accounts[account.user] = account;
  tables_.handles[account.handle] = account.user;
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

Answer<void> MemoryAccounts::add_device(const Device& device) {
  called("add_device");
  MutexLock lock(mutex_);
  if (!tables_.accounts.contains(device.user) || tables_.devices.contains(device.device) ||
      tables_.tokens.contains(device.token)) {
    return wire::problem(Code::internal);
  }
  tables_.devices[device.device] = device;
  tables_.tokens.insert(device.token);
  return {};
}

Answer<bool> MemoryAccounts::remove_device(model::DeviceId device) {
  called("remove_device");
  MutexLock lock(mutex_);
  const auto found = tables_.devices.find(device);
  if (found == tables_.devices.end()) return false;
  tables_.tokens.erase(found->second.token);
  tables_.devices.erase(found);
  return true;
}

Answer<std::vector<Device>> MemoryAccounts::devices() {
  called("devices");
  MutexLock lock(mutex_);
  std::vector<Device> out;
  for (const auto& [id, device] : tables_.devices) out.push_back(device);
  return out;
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
