#include "test/faults/private_network.h"

#include <cerrno>
#include <cstring>
#include <sstream>

#include <fmt/format.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tidings::faults {
namespace {

constexpr const char* chain = "inet tidings_faults arrives";

base::Status said(base::Result<std::string> answer) {
  if (!answer.ok()) return base::fail(answer.error());
  return {};
}

}  // namespace

base::Result<std::string> run_program(const std::vector<std::string>& words) {
  std::vector<char*> command;
  for (const auto& word : words) command.push_back(const_cast<char*>(word.c_str()));
  command.push_back(nullptr);
  int out[2];
  if (pipe(out) != 0) return base::failure(std::string("no pipe: ") + std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDERR_FILENO);
  posix_spawn_file_actions_addclose(&actions, out[0]);
  posix_spawn_file_actions_addclose(&actions, out[1]);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, command[0], &actions, nullptr, command.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; !failed && (n = read(out[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(n));
  close(out[0]);
  if (failed) return base::failure(words[0] + ": " + std::strerror(failed));
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0)
    return base::failure(fmt::format("{} {}: {}", words[0], words.size() > 1 ? words[1] : "", text));
  return text;
}

base::Result<PrivateNetwork> PrivateNetwork::enter(uint64_t packet_bytes_max) {
  if (unshare(CLONE_NEWNET) != 0)
    return base::failure(std::string("no network namespace: ") + std::strerror(errno));
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"ip", "link", "set", "lo", "up", "mtu", std::to_string(packet_bytes_max)},
           {"nft", "add table inet tidings_faults"},
           // Where packets arrive: what is lost where they leave, the sender would be told.
           {"nft", fmt::format("add chain {} {{ type filter hook input priority 0; }}", chain)}}) {
    if (auto done = run_program(words); !done.ok()) return base::fail(done.error());
  }
  return PrivateNetwork();
}

base::Status PrivateNetwork::lose(const std::string& match, int chance) {
  const std::string dice = chance < 100 ? fmt::format("numgen random mod 100 < {} ", chance) : "";
  return said(run_program({"nft", fmt::format("add rule {} {} {}drop", chain, match, dice)}));
}

base::Status PrivateNetwork::heal() {
  return said(run_program({"nft", fmt::format("flush chain {}", chain)}));
}

base::Result<std::vector<uint16_t>> PrivateNetwork::connected_to(uint16_t port) const {
  auto lines = run_program({"ss", "-tnH", "state", "established", "dport", "=", std::to_string(port)});
  if (!lines.ok()) return base::fail(lines.error());
  std::vector<uint16_t> ports;
  std::istringstream in(*lines);
  // Recv-Q Send-Q Local:Port Peer:Port
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string received, sent, local;
    if (!(words >> received >> sent >> local)) continue;
    ports.push_back(static_cast<uint16_t>(std::stoul(local.substr(local.rfind(':') + 1))));
  }
  return ports;
}

base::Status PrivateNetwork::reset(const std::string& match) const {
  std::vector<std::string> words{"ss", "-K", "-tnH", "state", "established"};
  std::istringstream in(match);
  for (std::string word; in >> word;) words.push_back(word);
  return said(run_program(words));
}

}  // namespace tidings::faults
