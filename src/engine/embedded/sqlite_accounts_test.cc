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
  ASSERT_EQ(sqlite3_exec(db, "PRAGMA user_version = 2", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  const auto opened = SqliteAccounts::open(path);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().sentence.find("schema 2"), std::string::npos) << opened.error().sentence;
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
