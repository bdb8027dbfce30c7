#include "test/faults/server_process.h"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tidings::faults {
namespace {

using Steady = std::chrono::steady_clock;

sockaddr_in local(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// A port that nobody has now; it stays ours over restarts because the server is told it. Above those that the
// system gives to outgoing connections: a client that tries one of them again and again would at last be
// connected to itself.
uint16_t free_port() {
  std::random_device random;
  for (int tries = 0; tries < 200; ++tries) {
    const auto port = static_cast<uint16_t>(61'000 + random() % 4'000);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = local(port);
    const bool free = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    if (free) return port;
  }
  return 0;
}

}  // namespace

ServerProcess::ServerProcess(std::string binary, std::string data)
    : binary_(std::move(binary)), data_(std::move(data)), port_(free_port()) {}

ServerProcess::~ServerProcess() {
  kill();
}

void ServerProcess::give(std::vector<std::string> settings, std::vector<std::string> environment) {
  settings_ = std::move(settings);
  environment_ = std::move(environment);
}

base::Status ServerProcess::start(const std::vector<std::string>& before) {
  if (child_ > 0) return base::failure("the server runs already");
  std::vector<std::string> words = before;
  const std::string listen = "127.0.0.1:" + std::to_string(port_);
  for (const auto& word :
       {binary_, std::string("serve"), std::string("--data"), data_, std::string("--listen"), listen}) {
    words.push_back(word);
  }
  // Their people say more than people may.
  words.emplace_back("--limits-profile");
  words.emplace_back("bench");
  for (const auto& setting : settings_) {
    words.emplace_back("--set");
    words.push_back(setting);
  }
  std::vector<char*> command;
  for (auto& word : words) command.push_back(word.data());
  command.push_back(nullptr);
  const std::string log = output();
  std::error_code none_yet;
  said_from_ = std::filesystem::file_size(log, none_yet);
  if (none_yet) said_from_ = 0;
  ended_.reset();

  const pid_t child = fork();
  if (child < 0) return base::failure(std::string("cannot fork: ") + std::strerror(errno));
  if (child == 0) {
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    for (auto& variable : environment_) putenv(variable.data());
    execvp(command[0], command.data());
    _exit(127);
  }
  child_ = child;
  return {};
}

std::optional<int> ServerProcess::wait_for_end(base::nanoseconds at_most) {
  const auto until = Steady::now() + at_most;
  while (child_ > 0) {
    int status = 0;
    if (waitpid(child_, &status, WNOHANG) == child_) {
      child_ = 0;
      ended_ = status;
    } else if (Steady::now() > until) {
      return std::nullopt;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return ended_;
}

std::string ServerProcess::said() const {
  std::ifstream file(output());
  file.seekg(static_cast<std::streamoff>(said_from_));
  return {std::istreambuf_iterator<char>(file), {}};
}

int ServerProcess::wait() {
  int status = 0;
  waitpid(child_, &status, 0);
  child_ = 0;
  return status;
}

void ServerProcess::kill() {
  if (child_ <= 0) return;
  ::kill(child_, SIGKILL);
  wait();
}

base::Status ServerProcess::stop() {
  if (child_ <= 0) return {};
  ::kill(child_, SIGTERM);
  const auto until = Steady::now() + std::chrono::seconds(10);
  while (Steady::now() < until) {
    int status = 0;
    if (waitpid(child_, &status, WNOHANG) == child_) {
      child_ = 0;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
      return base::failure("the server ended with wait status " + std::to_string(status));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill();
  return base::failure("the server did not end within 10 s of SIGTERM");
}

base::Status ServerProcess::wait_until_ready(base::nanoseconds at_most) {
  const auto until = Steady::now() + at_most;
  while (Steady::now() < until) {
    if (ready()) return {};
    int status = 0;
    if (waitpid(child_, &status, WNOHANG) == child_) {
      child_ = 0;
      ended_ = status;
      return base::failure("the server ended at its start; see " + data_ + ".server-log");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return base::failure("the server is not ready; see " + data_ + ".server-log");
}

bool ServerProcess::ready() const {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = local(port_);
  const timeval patience{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::string answer;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const std::string_view ask = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (send(fd, ask.data(), ask.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(ask.size())) {
      char buffer[256];
      const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      if (got > 0) answer.assign(buffer, static_cast<size_t>(got));
    }
  }
  close(fd);
  return answer.starts_with("HTTP/1.1 200");
}

}  // namespace tidings::faults
