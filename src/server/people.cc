#include "server/people.h"

#include <filesystem>

#include "account/secrets.h"
#include "engine/embedded/posix_disk.h"
#include "engine/embedded/sqlite_accounts.h"
#include "engine/embedded/system_random.h"

namespace tidings::server {

namespace {

std::string path_in(const std::string& directory) {
  return directory + "/accounts.sqlite";
}

}  // namespace

base::Result<std::unique_ptr<ports::Accounts>> open_accounts(const std::string& directory) {
  embedded::PosixDisk disk;
  if (auto made = disk.make_directory(directory); !made) return base::fail(made.error());
  auto accounts = embedded::SqliteAccounts::open(path_in(directory));
  if (!accounts) return base::fail(accounts.error());
  return std::unique_ptr<ports::Accounts>(std::move(*accounts));
}

base::Status list_accounts(const std::string& directory,
                           const std::function<void(const ports::Account&)>& each) {
  std::error_code error;
  if (!std::filesystem::exists(path_in(directory), error))
    return base::failure("There are no accounts in " + directory + ".");
  auto accounts = embedded::SqliteAccounts::open(path_in(directory));
  if (!accounts) return base::fail(accounts.error());
  if (!(*accounts)->list_accounts(each)) return base::failure("The accounts cannot be read.");
  return {};
}

model::UserId new_user_id() {
  embedded::SystemRandom random;
  return {account::make_id(random)};
}

}  // namespace tidings::server
