#include "engine/embedded/sqlite_accounts_schema.h"

#include <array>

#include "engine/embedded/sqlite_accounts_database.h"

namespace tidings::embedded {
namespace {

// Step n leads from schema n to n + 1. A step that was released never changes.
constexpr std::array<const char*, accounts_schema_number> steps = {
    R"(
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
)",
    // state: 0 active, 1 removing. A device without a family has no refresh tokens.
    R"(
  ALTER TABLE device ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE device ADD COLUMN seen_ms INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE device ADD COLUMN family BLOB;
  ALTER TABLE device ADD COLUMN refresh BLOB;
  ALTER TABLE device ADD COLUMN refresh_expires_ms INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE device ADD COLUMN previous_refresh BLOB;
  ALTER TABLE device ADD COLUMN previous_token BLOB;
  ALTER TABLE device ADD COLUMN previous_expires_ms INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE device ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
  UPDATE device SET seen_ms = created_ms;
  CREATE UNIQUE INDEX device_family ON device (family);
  CREATE INDEX device_removing ON device (state) WHERE state <> 0;
  CREATE TABLE invite (
    code BLOB PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES account (user),
    expires_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX invite_user ON invite (user);
  CREATE INDEX invite_expires ON invite (expires_ms);
)"};

base::Result<int> schema_of(sqlite3* db) {
  Statement statement;
  if (auto prepared = statement.prepare(db, "PRAGMA user_version"); !prepared) {
    return base::fail(prepared.error());
  }
  Run run(statement);
  if (run.step() != SQLITE_ROW) return base::failure(sqlite3_errmsg(db));
  return static_cast<int>(run.number(0));
}

}  // namespace

base::Status bring_up_to_date(sqlite3* db) {
  // The version is read before anything is written.
  auto found = schema_of(db);
  if (!found) return base::fail(found.error());
  if (*found > accounts_schema_number) {
    return base::failure("it has schema " + std::to_string(*found) + ", this server knows up to " +
                         std::to_string(accounts_schema_number) + "; use the newer server that wrote it");
  }
  if (*found == accounts_schema_number) return {};
  Transaction transaction(db);
  if (!transaction.begun()) return base::failure(sqlite3_errmsg(db));
  // Another process may have been faster.
  found = schema_of(db);
  if (!found) return base::fail(found.error());
  for (auto step = static_cast<size_t>(*found); step < steps.size(); ++step) {
    const auto sql = std::string(steps[step]) + "PRAGMA user_version = " + std::to_string(step + 1);
    if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
      return base::failure(sqlite3_errmsg(db));
    }
  }
  if (!transaction.commit()) return base::failure(sqlite3_errmsg(db));
  return {};
}

}  // namespace tidings::embedded
