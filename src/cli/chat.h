// `tidings chat`: talk from a terminal, or from a script with --json.
#pragma once

#include <CLI/CLI.hpp>

namespace tidings::cli {

void add_chat(CLI::App& app, int& status);

}  // namespace tidings::cli
