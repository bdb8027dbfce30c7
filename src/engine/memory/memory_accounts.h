// The accounts of the simulator: SqliteAccounts' meaning, in memory. What a call changed is durable when it
// returned, so neither a crash nor a power cut takes anything away.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string_view>

#include "base/mutex.h"
#include "ports/accounts.h"

namespace tidings::memory {

// Stands for the file as well as for the open database: it outlives a simulated process. Thread: as
// ports::Accounts; the faults while nobody calls it.
class MemoryAccounts : public ports::Accounts {
 public:
  // Called at the beginning of every call with its name; it may throw: the call has then changed nothing.
  using Hook = std::function<void(std::string_view call)>;

 private:
  struct Tables {
    std::map<model::UserId, ports::Account> accounts;
    std::map<std::string, model::UserId> handles;
    std::map<model::DeviceId, ports::Device> devices;
    std::set<ports::TokenHash> tokens;
  };

 public:
  // The file as somebody copied it aside.
  class Snapshot {
    friend class MemoryAccounts;
    Tables tables_;
  };

  explicit MemoryAccounts(Hook hook = {});

  wire::Answer<void> add_account(const ports::Account& account) override;
  wire::Answer<std::optional<ports::Account>> find_by_handle(const std::string& handle) override;
  wire::Answer<std::vector<ports::Account>> find_by_ids(const std::vector<model::UserId>& users) override;
  wire::Answer<void> add_device(const ports::Device& device) override;
  wire::Answer<bool> remove_device(model::DeviceId device) override;
  wire::Answer<std::vector<ports::Device>> devices() override;

  void crash() {}
  void power_cut() {}
  Snapshot snapshot() const;
  void restore(const Snapshot& snapshot);

 private:
  void called(std::string_view call) const {
    if (hook_) hook_(call);
  }

  const Hook hook_;
  mutable base::Mutex mutex_;
  Tables tables_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::memory
