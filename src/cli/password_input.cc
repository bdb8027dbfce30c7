#include "cli/password_input.h"

#include <cstdio>

#include <termios.h>
#include <unistd.h>

namespace tidings::cli {

namespace {
constexpr size_t line_bytes_max = 4096;
}  // namespace

std::optional<std::string> ask_password(const std::string& prompt) {
  termios before{};
  if (::tcgetattr(STDIN_FILENO, &before) != 0) return std::nullopt;
  termios quiet = before;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG | ICANON);
  // The flush comes before the prompt: what is typed as soon as it is seen counts.
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  std::fputs(prompt.c_str(), stderr);
  std::optional<std::string> password = "";
  for (;;) {
    char c = 0;
    if (::read(STDIN_FILENO, &c, 1) != 1 || c == 3 || c == 4) {
      password.reset();
      break;
    }
    if (c == '\n' || c == '\r') break;
    if (c == 0x7f || c == '\b') {
      while (!password->empty() && (password->back() & 0xc0) == 0x80) password->pop_back();
      if (!password->empty()) password->pop_back();
    } else {
      password->push_back(c);
    }
  }
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  std::fputs("\n", stderr);
  return password;
}

std::optional<std::string> read_password_line() {
  std::string line;
  char c = 0;
  bool came = false;
  while (line.size() < line_bytes_max && ::read(STDIN_FILENO, &c, 1) == 1) {
    came = true;
    if (c == '\n') break;
    line.push_back(c);
  }
  if (line.ends_with('\r')) line.pop_back();
  if (!came) return std::nullopt;
  return line;
}

}  // namespace tidings::cli
