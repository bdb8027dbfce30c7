// Reads lines of standard input and waits for Ctrl-C, until it is told to stop. Blocks the main thread.
#pragma once

#include <functional>
#include <string>

namespace tidings::cli {

class ChatInput {
 public:
  ChatInput();
  ~ChatInput();
  ChatInput(const ChatInput&) = delete;
  ChatInput& operator=(const ChatInput&) = delete;

  // `line` for each line (one that is too long is cut), `end` once at the end of input. SIGINT and SIGTERM,
  // which must be blocked in every thread, make run() return true; stop() makes it return false.
  bool run(const std::function<void(std::string)>& line, const std::function<void()>& end);
  // Any thread.
  void stop();

 private:
  int stop_ = -1;
};

// Blocks SIGINT and SIGTERM in this thread and those that it starts; gives them back in this thread.
void block_signals();
void unblock_signals();

}  // namespace tidings::cli
