#include "engine/embedded/sqlite_accounts.h"

#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "test/contract/temporary_directory.h"

namespace tidings::embedded {
namespace {

TEST(SqliteAccounts, ANewerSchemaIsRefusedInASentenceAndLeftAlone) {
  contract::TemporaryDirectory directory;
  const std::string path = directory / "accounts.sqlite";
  ASSERT_TRUE(SqliteAccounts::open(path).ok());
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "PRAGMA user_version = 3", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  const auto opened = SqliteAccounts::open(path);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().sentence.find("schema 3"), std::string::npos) << opened.error().sentence;
}

// The tables as the first release made them, with one person on two devices.
constexpr const char* first_schema = R"(
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
  INSERT INTO account VALUES (7, 'ann', 'Ann', '$argon2id$');
  INSERT INTO device VALUES (70, 7, 'phone', zeroblob(32), 1000, 99000), (71, 7, '', randomblob(32), 2000, 99000);
  COMMIT;
)";

TEST(SqliteAccounts, AFileOfTheFirstReleaseIsBroughtUpToDate) {
  contract::TemporaryDirectory directory;
  const std::string path = directory / "accounts.sqlite";
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, first_schema, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
  for (int opens = 0; opens < 2; ++opens) {
    auto accounts = SqliteAccounts::open(path);
    ASSERT_TRUE(accounts.ok()) << accounts.error().sentence;
    EXPECT_EQ((*accounts)->find_by_handle("ann").value()->display_name, "Ann");
    const auto devices = (*accounts)->devices_of({7}).value();
    ASSERT_EQ(devices.size(), 2u);
    EXPECT_EQ(devices[0].name, "phone");
    EXPECT_EQ(devices[0].token, ports::TokenHash());
    EXPECT_EQ(devices[0].expires, base::wall_from_ms(99000));
    EXPECT_EQ(devices[0].seen, base::wall_from_ms(1000));
    EXPECT_FALSE(devices[0].chain.has_value());
  }
  auto accounts = SqliteAccounts::open(path);
  ASSERT_TRUE((*accounts)->begin_removals({{70}}).ok());
  EXPECT_EQ((*accounts)->finish_removals().value(), 1u);
  EXPECT_TRUE((*accounts)->add_invite({{}, {7}, base::wall_from_ms(9)}, 1, {}).ok());
}

TEST(SqliteAccounts, AnUpdateThatFailsHalfwayChangesNothing) {
  contract::TemporaryDirectory directory;
  const std::string path = directory / "accounts.sqlite";
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, first_schema, nullptr, nullptr, nullptr), SQLITE_OK);
  // In the way of the last statements.
  ASSERT_EQ(sqlite3_exec(db, "CREATE TABLE invite (x)", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_FALSE(SqliteAccounts::open(path).ok());
  EXPECT_NE(sqlite3_exec(db, "SELECT state FROM device", nullptr, nullptr, nullptr), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "DROP TABLE invite", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_TRUE(SqliteAccounts::open(path).ok());
  sqlite3_close(db);
}

TEST(SqliteAccounts, AnAccountOfAnotherProcessIsSeenAtOnce) {
  contract::TemporaryDirectory directory;
  const std::string path = directory / "accounts.sqlite";
  auto server = SqliteAccounts::open(path), command = SqliteAccounts::open(path);
  ASSERT_TRUE(server.ok() && command.ok());
  ASSERT_TRUE((*command)->add_account({{1}, "ann", "Ann", "hash"}).ok());
  EXPECT_TRUE((*server)->find_by_handle("ann").value().has_value());
  ASSERT_TRUE((*server)->add_account({{2}, "bob", "Bob", "hash"}).ok());
  std::string listed;
  ASSERT_TRUE((*command)
                  ->list_accounts([&](const ports::Account& a) {
                    listed += a.handle + " ";
                    EXPECT_EQ(a.password_hash, "");
                  })
                  .ok());
  EXPECT_EQ(listed, "ann bob ");
}

TEST(SqliteAccounts, WhatIsNoDatabaseIsRefusedInASentence) {
  contract::TemporaryDirectory directory;
  std::ofstream(directory / "letter") << std::string(5000, 'x');
  for (const char* name : {"letter", "no/such/directory"}) {
    const auto opened = SqliteAccounts::open(directory / name);
    ASSERT_FALSE(opened.ok());
    EXPECT_NE(opened.error().sentence.find("cannot be opened"), std::string::npos) << opened.error().sentence;
  }
}

}  // namespace
}  // namespace tidings::embedded
