// The open database behind SqliteAccounts, for its source files only.
#pragma once

#include "base/log_line.h"
#include "engine/embedded/sqlite_accounts.h"
#include "engine/embedded/sqlite_accounts_database.h"

namespace tidings::embedded {

struct SqliteAccounts::State {
  Database db;
  Statement add_account, find_by_handle, find_by_id, set_display_name, set_password, count_accounts,
      list_accounts;
  Statement find_invite, use_invite, add_invite, count_invites, drop_invites;
  Statement add_device, devices, devices_of, rotate_tokens, mark_used, rename_device, set_seen, begin_removal,
      begin_removals_but, finish_removals;

  Status set_up();
  base::Fail<wire::Problem> failed(const char* what) const {
    base::log_error("accounts: {} failed: {}", what, sqlite3_errmsg(db.get()));
    return wire::problem(wire::Code::internal);
  }
  wire::Answer<void> insert(const ports::Account& account);
  // Runs an UPDATE; whether it found its row.
  wire::Answer<bool> update(Run& run, const char* what) const {
    if (run.step() != SQLITE_DONE) return failed(what);
    return sqlite3_changes(db.get()) > 0;
  }
};

}  // namespace tidings::embedded
