// `tidings doctor`: says how the log of a data directory is, and makes a damaged one usable.
#pragma once

#include <CLI/CLI.hpp>

namespace tidings::cli {

// Adds the subcommand. `exit_code` becomes 0 if a start would work, 1 if it would not or if something failed.
void add_doctor(CLI::App& app, int& exit_code);

}  // namespace tidings::cli
