// `tidings serve`: the server until SIGINT or SIGTERM.
#pragma once

#include <CLI/CLI.hpp>

namespace tidings::cli {

// Adds the subcommand; when it was chosen, `exit_code` is set once the server has ended.
void add_serve(CLI::App& app, int& exit_code);

}  // namespace tidings::cli
