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
    std::set<model::DeviceId> removing;  // of `devices`
    std::map<ports::TokenHash, ports::Invite> invites;
  };

 public:
  // The file as somebody copied it aside.
  class Snapshot {
    friend class MemoryAccounts;
    Tables tables_;
  };

  explicit MemoryAccounts(Hook hook = {});

  wire::Answer<void> add_account(const ports::Account& account) override;
  wire::Answer<void> add_invited_account(const ports::Account& account,
                                         const std::optional<ports::TokenHash>& invite,
                                         base::WallTime now) override;
  wire::Answer<bool> is_invited(const std::optional<ports::TokenHash>& invite, base::WallTime now) override;
  wire::Answer<void> add_invite(const ports::Invite& invite, size_t invites_max, base::WallTime now) override;
  wire::Answer<std::optional<ports::Account>> find_by_handle(const std::string& handle) override;
  wire::Answer<std::vector<ports::Account>> find_by_ids(const std::vector<model::UserId>& users) override;
  wire::Answer<bool> set_display_name(model::UserId user, const std::string& display_name) override;
  wire::Answer<bool> change_password(model::UserId user, const std::string& old_hash,
                                     const std::string& new_hash, model::DeviceId keep) override;
  wire::Answer<void> add_device(const ports::Device& device) override;
  wire::Answer<std::vector<ports::Device>> devices() override;
  wire::Answer<std::vector<ports::Device>> devices_of(model::UserId user) override;
  wire::Answer<bool> rotate_tokens(const ports::Device& device) override;
  wire::Answer<bool> mark_used(model::DeviceId device) override;
  wire::Answer<bool> rename_device(model::UserId user, model::DeviceId device,
                                   const std::string& name) override;
  wire::Answer<void> set_seen(const std::vector<std::pair<model::DeviceId, base::WallTime>>& seen) override;
  wire::Answer<void> begin_removals(const std::vector<model::DeviceId>& devices) override;
  wire::Answer<size_t> finish_removals() override;

  void crash() {}
  void power_cut() {}
  Snapshot snapshot() const;
  void restore(const Snapshot& snapshot);

 private:
  void called(std::string_view call) const {
    if (hook_) hook_(call);
  }

  // Null if it is not an active one.
  ports::Device* active(model::DeviceId device) TIDINGS_REQUIRES(mutex_);
  wire::Answer<void> insert(const ports::Account& account) TIDINGS_REQUIRES(mutex_);
  bool invited(const std::optional<ports::TokenHash>& invite, base::WallTime now) const
      TIDINGS_REQUIRES(mutex_);

  const Hook hook_;
  mutable base::Mutex mutex_;
  Tables tables_ TIDINGS_GUARDED_BY(mutex_);
};

}  // namespace tidings::memory
