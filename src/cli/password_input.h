// Passwords from the terminal or from a pipe.
#pragma once

#include <optional>
#include <string>

namespace tidings::cli {

// Asks on the terminal without echo. Nullopt: Ctrl-C or Ctrl-D, or there is no terminal.
std::optional<std::string> ask_password(const std::string& prompt);
// The first line of standard input, which is no terminal; of a longer one no more than 4 KiB. Nullopt:
// nothing came.
std::optional<std::string> read_password_line();

}  // namespace tidings::cli
