#include "cli/chat_input.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace tidings::cli {

namespace {

constexpr size_t line_bytes_max = 1 << 20;

sigset_t ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

void block_signals() {
  const sigset_t signals = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void unblock_signals() {
  const sigset_t signals = ending_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

ChatInput::ChatInput() : stop_(::eventfd(0, EFD_CLOEXEC)) {}

ChatInput::~ChatInput() {
  if (stop_ >= 0) ::close(stop_);
}

void ChatInput::stop() {
  const uint64_t one = 1;
  (void)!::write(stop_, &one, sizeof one);
}

bool ChatInput::run(const std::function<void(std::string)>& line, const std::function<void()>& end) {
  const sigset_t signals = ending_signals();
  const int signal_file = ::signalfd(-1, &signals, SFD_CLOEXEC);
  std::string text;
  bool open = true;
  bool interrupted = false;
  while (!interrupted) {
    pollfd waits[3] = {{stop_, POLLIN, 0}, {signal_file, POLLIN, 0}, {open ? STDIN_FILENO : -1, POLLIN, 0}};
    if (::poll(waits, 3, -1) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    if (waits[0].revents != 0) break;
    interrupted = waits[1].revents != 0;
    if (waits[2].revents == 0) continue;
    char buffer[1 << 14];
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      open = false;
      if (!text.empty()) line(std::exchange(text, ""));
      end();
      continue;
    }
    for (ssize_t i = 0; i < got; ++i) {
      if (buffer[i] == '\n') {
        line(std::exchange(text, ""));
      } else if (text.size() < line_bytes_max) {
        text.push_back(buffer[i]);
      }
    }
  }
  ::close(signal_file);
  return interrupted;
}

}  // namespace tidings::cli
