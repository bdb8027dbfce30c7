#include "engine/embedded/sqlite_accounts.h"

#include <algorithm>

#include "engine/embedded/sqlite_accounts_schema.h"
#include "engine/embedded/sqlite_accounts_state.h"

namespace tidings::embedded {

using base::Result;
using ports::Account;
using wire::Answer;
using wire::Code;

namespace {

// How long a call waits while another process writes (`tidings account add`).
constexpr int busy_timeout_ms = 5000;

Account account_of(const Run& run) {
  return {.user = {run.number(0)},
          .handle = run.bytes(1),
          .display_name = run.bytes(2),
          .password_hash = run.bytes(3)};
}

// The first column of the first row.
Result<std::string> ask(sqlite3* db, const char* sql) {
  Statement statement;
  if (auto prepared = statement.prepare(db, sql); !prepared) return base::fail(prepared.error());
  Run run(statement);
  if (run.step() != SQLITE_ROW) return base::failure(sqlite3_errmsg(db));
  return run.bytes(0);
}

}  // namespace

Status SqliteAccounts::State::set_up() {
  sqlite3_extended_result_codes(db.get(), 1);
  sqlite3_busy_timeout(db.get(), busy_timeout_ms);
  // First of all: a file that is not ours stays as it is.
  if (const auto version = ask(db.get(), "PRAGMA user_version"); !version) return base::fail(version.error());
  if (auto tables = bring_up_to_date(db.get()); !tables) return tables;
  const auto journal = ask(db.get(), "PRAGMA journal_mode = WAL");
  if (!journal) return base::fail(journal.error());
  if (*journal != "wal") return base::failure("it cannot use a write-ahead log");
  if (sqlite3_exec(db.get(), "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;", nullptr, nullptr,
                   nullptr) != SQLITE_OK) {
    return base::failure(sqlite3_errmsg(db.get()));
  }
  const std::pair<Statement*, const char*> statements[] = {
      {&add_account, "INSERT INTO account (user, handle, display_name, password_hash) VALUES (?, ?, ?, ?)"},
      {&find_by_handle, "SELECT user, handle, display_name, password_hash FROM account WHERE handle = ?"},
      {&find_by_id, "SELECT user, handle, display_name, password_hash FROM account WHERE user = ?"},
      {&set_display_name, "UPDATE account SET display_name = ? WHERE user = ?"},
      {&set_password, "UPDATE account SET password_hash = ? WHERE user = ? AND password_hash = ?"},
      {&count_accounts, "SELECT EXISTS (SELECT 1 FROM account)"},
      {&list_accounts, "SELECT user, handle, display_name, '' FROM account ORDER BY handle"},
      {&find_invite, "SELECT 1 FROM invite WHERE code = ? AND expires_ms > ?"},
      {&use_invite, "DELETE FROM invite WHERE code = ? AND expires_ms > ?"},
      {&add_invite, "INSERT INTO invite (code, user, expires_ms) VALUES (?, ?, ?)"},
      {&count_invites, "SELECT count(*) FROM invite WHERE user = ?"},
      {&drop_invites, "DELETE FROM invite WHERE expires_ms <= ?"},
      {&add_device,
       "INSERT INTO device (device, user, name, token, created_ms, expires_ms, seen_ms, family, refresh, "
       "refresh_expires_ms, previous_refresh, previous_token, previous_expires_ms, used) "
       "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      {&devices,
       "SELECT device, user, name, token, created_ms, expires_ms, seen_ms, family, refresh, "
       "refresh_expires_ms, previous_refresh, previous_token, previous_expires_ms, used "
       "FROM device WHERE state = 0"},
      {&devices_of,
       "SELECT device, user, name, token, created_ms, expires_ms, seen_ms, family, refresh, "
       "refresh_expires_ms, previous_refresh, previous_token, previous_expires_ms, used "
       "FROM device WHERE user = ? AND state = 0 ORDER BY created_ms, device"},
      {&rotate_tokens,
       "UPDATE device SET token = ?, expires_ms = ?, family = ?, refresh = ?, refresh_expires_ms = ?, "
       "previous_refresh = ?, previous_token = ?, previous_expires_ms = ?, used = ? "
       "WHERE device = ? AND state = 0"},
      {&mark_used, "UPDATE device SET used = 1 WHERE device = ? AND state = 0"},
      {&rename_device, "UPDATE device SET name = ? WHERE device = ? AND user = ? AND state = 0"},
      {&set_seen, "UPDATE device SET seen_ms = ? WHERE device = ? AND state = 0"},
      {&begin_removal, "UPDATE device SET state = 1 WHERE device = ?"},
      {&begin_removals_but, "UPDATE device SET state = 1 WHERE user = ? AND device <> ? AND state = 0"},
      {&finish_removals, "DELETE FROM device WHERE state <> 0"}};
  for (const auto& [statement, sql] : statements) {
    if (auto prepared = statement->prepare(db.get(), sql); !prepared) return prepared;
  }
  return {};
}

SqliteAccounts::SqliteAccounts(std::unique_ptr<State> state) : state_(std::move(state)) {}
SqliteAccounts::~SqliteAccounts() = default;

Result<std::unique_ptr<SqliteAccounts>> SqliteAccounts::open(const std::string& path) {
  auto state = std::make_unique<State>();
  sqlite3* db = nullptr;
  const int rc = sqlite3_open_v2(path.c_str(), &db,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  state->db.reset(db);
  const auto done =
      rc == SQLITE_OK ? state->set_up() : base::failure(db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
  if (!done)
    return base::failure("The accounts in " + path + " cannot be opened: " + done.error().sentence + ".");
  return std::unique_ptr<SqliteAccounts>(new SqliteAccounts(std::move(state)));
}

Answer<void> SqliteAccounts::State::insert(const Account& account) {
  Run run(add_account);
  run.bind(account.user.value).bind(account.handle).bind(account.display_name).bind(account.password_hash);
  const int rc = run.step();
  if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_ROWID) {
    return wire::problem(Code::exists);
  }
  if (rc != SQLITE_DONE) return failed("adding an account");
  return {};
}

Answer<void> SqliteAccounts::add_account(const Account& account) {
  return state_->insert(account);
}

Answer<bool> SqliteAccounts::is_invited(const std::optional<ports::TokenHash>& invite, base::WallTime now) {
  {
    Run run(state_->count_accounts);
    if (run.step() != SQLITE_ROW) return state_->failed("counting accounts");
    if (run.number(0) == 0) return true;
  }
  if (!invite) return false;
  Run run(state_->find_invite);
  run.bind(*invite).bind(now);
  const int rc = run.step();
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return state_->failed("finding an invite");
  return rc == SQLITE_ROW;
}

Answer<void> SqliteAccounts::add_invited_account(const Account& account,
                                                 const std::optional<ports::TokenHash>& invite,
                                                 base::WallTime now) {
  Transaction transaction(state_->db.get());
  if (!transaction.begun()) return state_->failed("beginning to add an account");
  const auto invited = is_invited(invite, now);
  if (!invited) return base::fail(invited.error());
  if (!*invited) return wire::problem(Code::forbidden);
  if (invite) {
    Run run(state_->use_invite);
    run.bind(*invite).bind(now);
    if (run.step() != SQLITE_DONE) return state_->failed("using an invite up");
  }
  if (auto added = state_->insert(account); !added) return added;
  if (!transaction.commit()) return state_->failed("adding an invited account");
  return {};
}

Answer<void> SqliteAccounts::add_invite(const ports::Invite& invite, size_t invites_max, base::WallTime now) {
  Transaction transaction(state_->db.get());
  if (!transaction.begun()) return state_->failed("beginning to add an invite");
  {
    Run run(state_->drop_invites);
    run.bind(now);
    if (run.step() != SQLITE_DONE) return state_->failed("dropping expired invites");
  }
  {
    Run run(state_->count_invites);
    run.bind(invite.by.value);
    if (run.step() != SQLITE_ROW) return state_->failed("counting invites");
    if (run.number(0) >= invites_max) return wire::problem(Code::limit);
  }
  {
    Run run(state_->add_invite);
    run.bind(invite.code).bind(invite.by.value).bind(invite.expires);
    if (run.step() != SQLITE_DONE) return state_->failed("adding an invite");
  }
  if (!transaction.commit()) return state_->failed("adding an invite");
  return {};
}

Answer<std::optional<Account>> SqliteAccounts::find_by_handle(const std::string& handle) {
  Run run(state_->find_by_handle);
  run.bind(handle);
  const int rc = run.step();
  if (rc == SQLITE_ROW) return std::optional(account_of(run));
  if (rc != SQLITE_DONE) return state_->failed("finding an account");
  return std::optional<Account>();
}

Answer<std::vector<Account>> SqliteAccounts::find_by_ids(const std::vector<model::UserId>& users) {
  std::vector<model::UserId> sorted = users;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<Account> out;
  for (const model::UserId user : sorted) {
    Run run(state_->find_by_id);
    run.bind(user.value);
    const int rc = run.step();
    if (rc == SQLITE_ROW) {
      out.push_back(account_of(run));
    } else if (rc != SQLITE_DONE) {
      return state_->failed("finding accounts");
    }
  }
  return out;
}

Answer<bool> SqliteAccounts::set_display_name(model::UserId user, const std::string& display_name) {
  Run run(state_->set_display_name);
  run.bind(display_name).bind(user.value);
  return state_->update(run, "changing a display name");
}

Answer<bool> SqliteAccounts::change_password(model::UserId user, const std::string& old_hash,
                                             const std::string& new_hash, model::DeviceId keep) {
  Transaction transaction(state_->db.get());
  if (!transaction.begun()) return state_->failed("beginning to change a password");
  {
    Run run(state_->set_password);
    run.bind(new_hash).bind(user.value).bind(old_hash);
    const auto changed = state_->update(run, "changing a password");
    if (!changed || !*changed) return changed;
  }
  {
    Run run(state_->begin_removals_but);
    run.bind(user.value).bind(keep.value);
    if (run.step() != SQLITE_DONE) return state_->failed("logging other devices out");
  }
  if (!transaction.commit()) return state_->failed("changing a password");
  return true;
}

Answer<void> SqliteAccounts::list_accounts(const std::function<void(const Account&)>& each) {
  Run run(state_->list_accounts);
  int rc = run.step();
  for (; rc == SQLITE_ROW; rc = run.step()) each(account_of(run));
  if (rc != SQLITE_DONE) return state_->failed("listing accounts");
  return {};
}

}  // namespace tidings::embedded
