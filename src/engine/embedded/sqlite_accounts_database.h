// One SQLite database through its C interface: statements, their executions, transactions.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include <sqlite3.h>

#include "base/result.h"
#include "base/time.h"
#include "ports/accounts.h"

namespace tidings::embedded {

using base::Status;

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
  // Null for nullptr.
  Run& bind(const ports::TokenHash* hash) {
    return hash ? bind(*hash) : bound(sqlite3_bind_null(statement_, ++at_));
  }
  Run& bind(const std::optional<ports::TokenHash>& hash) { return bind(hash ? &*hash : nullptr); }

  // SQLITE_ROW, SQLITE_DONE, or what went wrong (extended).
  int step() { return bind_error_ != SQLITE_OK ? bind_error_ : sqlite3_step(statement_); }

  uint64_t number(int column) const {
    return static_cast<uint64_t>(sqlite3_column_int64(statement_, column));
  }
  base::WallTime time(int column) const {
    return base::wall_from_ms(sqlite3_column_int64(statement_, column));
  }
  bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  // False if the column is no hash.
  bool read(int column, ports::TokenHash& hash) const {
    if (static_cast<size_t>(sqlite3_column_bytes(statement_, column)) != hash.size()) return false;
    const auto* data = static_cast<const uint8_t*>(sqlite3_column_blob(statement_, column));
    std::copy_n(data, hash.size(), hash.begin());
    return true;
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

// Takes the right to write, so that nothing that was read changes until the commit. Rolls back if it was not
// committed.
class Transaction {
 public:
  explicit Transaction(sqlite3* db) : db_(db), begun_(run("BEGIN IMMEDIATE")) {}
  ~Transaction() {
    if (begun_ && !sqlite3_get_autocommit(db_)) (void)run("ROLLBACK");
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  bool begun() const { return begun_; }
  bool commit() { return run("COMMIT"); }

 private:
  bool run(const char* sql) { return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK; }

  sqlite3* db_;
  bool begun_;
};

}  // namespace tidings::embedded
