// `tidings account add|list`: accounts made and shown on the data directory, whether or not a server runs on
// it.
#pragma once

#include <CLI/CLI.hpp>

namespace tidings::cli {

void add_account(CLI::App& app, int& status);

}  // namespace tidings::cli
