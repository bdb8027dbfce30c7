// The accounts of a data directory, for the command line: whether or not a server runs on it (SQLite lets
// both write). Everything here blocks.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "ports/accounts.h"

namespace tidings::server {

// Opens DIR/accounts.sqlite; the directory and the file are made if they are not there.
base::Result<std::unique_ptr<ports::Accounts>> open_accounts(const std::string& directory);

// Everybody, by handle, without password hashes.
base::Status list_accounts(const std::string& directory,
                           const std::function<void(const ports::Account&)>& each);

// An id for a new account, from the system's random numbers.
model::UserId new_user_id();

}  // namespace tidings::server
