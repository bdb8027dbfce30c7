#include "engine/embedded/sqlite_accounts.h"

#include <algorithm>

#include <sqlite3.h>

#include "base/log_line.h"

namespace tidings::embedded {
namespace {

using base::Result;
using base::Status;
using ports::Account;
using ports::Device;
using wire::Answer;
using wire::Code;

constexpr int schema_number = 1;
constexpr const char* schema = R"(
  BEGIN;
  CREATE TABLE account (
    user INTEGER PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    password_hash TEXT NOT NULL
  ) STRICT;
  CREATE TABLE device (
    device INTEGER PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES account (user),
    name TEXT NOT NULL,
    token BLOB NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX device_user ON device (user);
  PRAGMA user_version = 1;
  COMMIT;
)";

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

// A prepared statement, used again and again.
class Statement {
 public:
  Status prepare(sqlite3* db, const char* sql) {
    sqlite3_stmt* statement = nullptr;
    const int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    statement_.reset(statement);
    if (rc != SQLITE_OK) return base::failure(sqlite3_errmsg(db));
    return {};
  }
  sqlite3_stmt* get() const { return statement_.get(); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// One execution of a statement: binds from left to right, reads columns, resets at its end. What is bound
// must outlive it.
class Run {
 public:
  explicit Run(const Statement& statement) : statement_(statement.get()) {}
  ~Run() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Run& bind(uint64_t n) { return bound(sqlite3_bind_int64(statement_, ++at_, static_cast<int64_t>(n))); }
  Run& bind(base::WallTime time) { return bound(sqlite3_bind_int64(statement_, ++at_, base::to_ms(time))); }
  Run& bind(const std::string& text) {
    return bound(
        sqlite3_bind_text64(statement_, ++at_, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8));
  }
  Run& bind(const ports::TokenHash& hash) {
    return bound(sqlite3_bind_blob64(statement_, ++at_, hash.data(), hash.size(), SQLITE_STATIC));
  }

  // SQLITE_ROW, SQLITE_DONE, or what went wrong (extended).
  int step() { return bind_error_ != SQLITE_OK ? bind_error_ : sqlite3_step(statement_); }

  uint64_t number(int column) const {
    return static_cast<uint64_t>(sqlite3_column_int64(statement_, column));
  }
  base::WallTime time(int column) const {
    return base::wall_from_ms(sqlite3_column_int64(statement_, column));
  }
  std::string bytes(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return data ? std::string(data, static_cast<size_t>(sqlite3_column_bytes(statement_, column)))
                : std::string();
  }

 private:
  Run& bound(int rc) {
    if (rc != SQLITE_OK) bind_error_ = rc;
    return *this;
  }

  sqlite3_stmt* statement_;
  int at_ = 0;
  int bind_error_ = SQLITE_OK;
};

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

Status execute(sqlite3* db, const char* sql) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  std::string reason = sqlite3_errmsg(db);
  if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
  return base::failure(std::move(reason));
}

}  // namespace

struct SqliteAccounts::State {
  Database db;
  Statement add_account, find_by_handle, find_by_id, add_device, remove_device, devices;

  Status set_up();
  base::Fail<wire::Problem> failed(const char* what) const {
    base::log_error("accounts: {} failed: {}", what, sqlite3_errmsg(db.get()));
    return wire::problem(Code::internal);
  }
};

Status SqliteAccounts::State::set_up() {
  sqlite3_extended_result_codes(db.get(), 1);
  // The version is read before anything is written.
  const auto version = ask(db.get(), "PRAGMA user_version");
  if (!version) return base::fail(version.error());
  const int found = std::atoi(version->c_str());
  if (found > schema_number) {
    return base::failure("it has schema " + std::to_string(found) + ", this server knows up to " +
                         std::to_string(schema_number) + "; use the newer server that wrote it");
  }
  const auto journal = ask(db.get(), "PRAGMA journal_mode = WAL");
  if (!journal) return base::fail(journal.error());
  if (*journal != "wal") return base::failure("it cannot use a write-ahead log");
  if (auto done = execute(db.get(), "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"); !done)
    return done;
  if (found == 0) {
    if (auto made = execute(db.get(), schema); !made) return made;
  }
  const std::pair<Statement*, const char*> statements[] = {
      {&add_account, "INSERT INTO account (user, handle, display_name, password_hash) VALUES (?, ?, ?, ?)"},
      {&find_by_handle, "SELECT user, handle, display_name, password_hash FROM account WHERE handle = ?"},
      {&find_by_id, "SELECT user, handle, display_name, password_hash FROM account WHERE user = ?"},
      {&add_device,
       "INSERT INTO device (device, user, name, token, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?)"},
      {&remove_device, "DELETE FROM device WHERE device = ?"},
      {&devices, "SELECT device, user, name, token, created_ms, expires_ms FROM device"}};
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

Answer<void> SqliteAccounts::add_account(const Account& account) {
  Run run(state_->add_account);
  run.bind(account.user.value).bind(account.handle).bind(account.display_name).bind(account.password_hash);
  const int rc = run.step();
  if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_ROWID) {
    return wire::problem(Code::exists);
  }
  if (rc != SQLITE_DONE) return state_->failed("adding an account");
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

Answer<void> SqliteAccounts::add_device(const Device& device) {
  Run run(state_->add_device);
  run.bind(device.device.value).bind(device.user.value).bind(device.name).bind(device.token);
  run.bind(device.created).bind(device.expires);
  if (run.step() != SQLITE_DONE) return state_->failed("adding a device");
  return {};
}

Answer<bool> SqliteAccounts::remove_device(model::DeviceId device) {
  Run run(state_->remove_device);
  run.bind(device.value);
  if (run.step() != SQLITE_DONE) return state_->failed("removing a device");
  return sqlite3_changes(state_->db.get()) > 0;
}

Answer<std::vector<Device>> SqliteAccounts::devices() {
  std::vector<Device> out;
  Run run(state_->devices);
  int rc = run.step();
  for (; rc == SQLITE_ROW; rc = run.step()) {
    Device device{.device = {run.number(0)}, .user = {run.number(1)}, .name = run.bytes(2)};
    const std::string token = run.bytes(3);
    if (token.size() != device.token.size()) return state_->failed("reading a token");
    std::copy(token.begin(), token.end(), device.token.begin());
    device.created = run.time(4);
    device.expires = run.time(5);
    out.push_back(std::move(device));
  }
  if (rc != SQLITE_DONE) return state_->failed("reading devices");
  return out;
}

}  // namespace tidings::embedded
