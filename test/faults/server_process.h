// The real `tidings serve` as a child process on a data directory and a fixed port.
#pragma once

#include <string>

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

  base::Status start();
  // SIGKILL, and waits for its end.
  void kill();
  // SIGTERM, and waits; fails if it does not end with status 0 within 10 s.
  base::Status stop();
  // Until /readyz says 200, at most so long.
  base::Status wait_until_ready(base::nanoseconds at_most);
  bool running() const { return child_ > 0; }

  uint16_t port() const { return port_; }
  const std::string& data() const { return data_; }

 private:
  bool ready() const;
  int wait();

  const std::string binary_, data_;
  uint16_t port_;
  pid_t child_ = 0;
};

}  // namespace tidings::faults
