#include "test/faults/strace.h"

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tidings::faults {
namespace {

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool is_traced(pid_t thread) {
  std::ifstream file("/proc/" + std::to_string(thread) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("TracerPid:")) return line.find_first_of("123456789") != std::string::npos;
  }
  return false;
}

}  // namespace

pid_t find_thread(pid_t process, const std::string& name) {
  std::error_code gone;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task", gone)) {
    if (first_line(task.path() / "comm") == name) return std::stoi(task.path().filename());
  }
  return 0;
}

Calls count_calls(const std::string& output) {
  // 4711<log> 1795341096.123456 pwrite64(…
  Calls calls;
  std::ifstream file(output);
  for (std::string line; std::getline(file, line);) {
    const auto open = line.find('<'), close = line.find('>'), bracket = line.find('(');
    if (open == std::string::npos || close == std::string::npos || bracket == std::string::npos) continue;
    if (close < open || bracket < close) continue;
    const std::string call =
        line.substr(line.rfind(' ', bracket) + 1, bracket - line.rfind(' ', bracket) - 1);
    const bool is_name =
        !call.empty() && call.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
    if (is_name) ++calls[{line.substr(open + 1, close - open - 1), call}];
  }
  return calls;
}

base::Result<std::unique_ptr<Strace>> Strace::attach(pid_t thread, bool with_others,
                                                     const std::vector<std::string>& arguments,
                                                     std::string output) {
  std::vector<std::string> words = {"strace", "-ttt", "-o", output, "-p", std::to_string(thread)};
  if (with_others) words.insert(words.end(), {"-f", "--decode-pids=comm"});
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> command;
  for (auto& word : words) command.push_back(word.data());
  command.push_back(nullptr);
  const std::string complaints = output + ".stderr";

  const pid_t child = fork();
  if (child < 0) return base::failure(std::string("cannot fork: ") + std::strerror(errno));
  if (child == 0) {
    const int out = open(complaints.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(out, STDERR_FILENO);
    execvp(command[0], command.data());
    _exit(127);
  }
  std::unique_ptr<Strace> strace(new Strace(child, std::move(output)));
  for (int i = 0; i < 5'000; ++i) {
    if (is_traced(thread)) return strace;
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      strace->child_ = 0;
      // It was there, and what it was told to do to the process is done.
      if (first_line(complaints).ends_with(" attached")) return strace;
      return base::failure("strace cannot attach: " + first_line(complaints));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return base::failure("strace does not attach within 5 s");
}

Strace::~Strace() {
  end();
}

void Strace::end() {
  if (child_ <= 0) return;
  ::kill(child_, SIGTERM);
  int status = 0;
  waitpid(child_, &status, 0);
  child_ = 0;
}

int64_t Strace::injected_at_ns() {
  end();
  std::ifstream file(output_);
  for (std::string line; std::getline(file, line);) {
    if (line.find("(INJECTED)") == std::string::npos) continue;
    return static_cast<int64_t>(std::stod(line) * 1e9);
  }
  return 0;
}

}  // namespace tidings::faults
