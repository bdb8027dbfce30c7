// People, credentials and tokens in SQLite: one file, STRICT tables, synced at every commit.
#pragma once

#include <memory>
#include <string>

#include "ports/accounts.h"

namespace tidings::embedded {

// One open database. Thread: one at a time.
class SqliteAccounts : public ports::Accounts {
 public:
  // Makes the file (its directory must exist) or opens it. Fails with a plain sentence if it cannot be opened
  // or was made by a newer server.
  static base::Result<std::unique_ptr<SqliteAccounts>> open(const std::string& path);
  ~SqliteAccounts() override;

  wire::Answer<void> add_account(const ports::Account& account) override;
  wire::Answer<std::optional<ports::Account>> find_by_handle(const std::string& handle) override;
  wire::Answer<std::vector<ports::Account>> find_by_ids(const std::vector<model::UserId>& users) override;
  wire::Answer<void> add_device(const ports::Device& device) override;
  wire::Answer<bool> remove_device(model::DeviceId device) override;
  wire::Answer<std::vector<ports::Device>> devices() override;

 private:
  struct State;
  explicit SqliteAccounts(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace tidings::embedded
