// The real `tidings serve` as a child process on a data directory and a fixed port.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "base/time.h"

namespace tidings::faults {

class ServerProcess {
 public:
  // `binary` is the tidings program. Nothing is started yet.
  ServerProcess(std::string binary, std::string data);
  // Kills what runs, and only that.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;

  // What every start is given: settings as KEY=VALUE, and variables of the environment as NAME=VALUE.
  void give(std::vector<std::string> settings, std::vector<std::string> environment = {});
  // `before` is put in front of the command; it must become the server by exec (strace -D).
  base::Status start(const std::vector<std::string>& before = {});
  // SIGKILL, and waits for its end.
  void kill();
  // SIGTERM, and waits; fails if it does not end with status 0 within 10 s.
  base::Status stop();
  // Until /readyz says 200, at most so long.
  base::Status wait_until_ready(base::nanoseconds at_most);
  // Its wait status if it ended by itself, at most so long from now.
  std::optional<int> wait_for_end(base::nanoseconds at_most);
  bool running() const { return child_ > 0; }
  pid_t pid() const { return child_; }
  // What it wrote to stdout and stderr since the newest start.
  std::string said() const;

  uint16_t port() const { return port_; }
  const std::string& data() const { return data_; }

 private:
  bool ready() const;
  int wait();
  std::string output() const { return data_ + ".server-log"; }

  const std::string binary_, data_;
  std::vector<std::string> settings_, environment_;
  uint16_t port_;
  pid_t child_ = 0;
  std::optional<int> ended_;  // the wait status, if a wait for readiness saw the end
  uint64_t said_from_ = 0;
};

}  // namespace tidings::faults
