#include "test/contract/accounts_contract.h"

#include "engine/embedded/sqlite_accounts.h"
#include "engine/memory/memory_accounts.h"
#include "test/contract/temporary_directory.h"

namespace tidings::contract {
namespace {

struct SqliteFixture {
  SqliteFixture() { open(); }
  ports::Accounts& accounts() { return *accounts_; }
  void restart() {
    accounts_.reset();
    open();
  }

 private:
  void open() {
    auto opened = embedded::SqliteAccounts::open(directory_ / "accounts.sqlite");
    TIDINGS_CHECK(opened.ok());
    accounts_ = std::move(*opened);
  }
  TemporaryDirectory directory_;
  std::unique_ptr<embedded::SqliteAccounts> accounts_;
};

struct MemoryFixture {
  ports::Accounts& accounts() { return accounts_; }
  void restart() {
    accounts_.crash();
    accounts_.power_cut();
  }

 private:
  memory::MemoryAccounts accounts_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, AccountsContract, SqliteFixture);
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, AccountsContract, MemoryFixture);

}  // namespace
}  // namespace tidings::contract
