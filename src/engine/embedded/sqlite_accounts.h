// People, credentials and tokens in SQLite: one file, STRICT tables, synced at every commit.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "ports/accounts.h"

namespace tidings::embedded {

class Run;

// One open database. Thread: one at a time.
class SqliteAccounts : public ports::Accounts {
 public:
  // Makes the file (its directory must exist) or opens it. An older file is brought up to
  // date. Fails with a plain sentence if it cannot be opened or was made by a newer server.
  static base::Result<std::unique_ptr<SqliteAccounts>> open(const std::string& path);
  ~SqliteAccounts() override;

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

  // Every account by handle, without its password's hash; for `tidings account list`.
  wire::Answer<void> list_accounts(const std::function<void(const ports::Account&)>& each);

 private:
  struct State;
  wire::Answer<std::vector<ports::Device>> read_devices(Run& run);
  explicit SqliteAccounts(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace tidings::embedded
