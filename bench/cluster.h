// The server as processes: a core, and gateways that may be killed and started again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/real_server.h"

namespace tidings::bench {

class Cluster {
 public:
  // One shard each. `more`: further words for the gateways.
  Cluster(std::string binary, std::string data, size_t gateways, std::vector<std::string> more = {},
          int machine_core = -1);
  ~Cluster();  // kills all: nothing of it is of use any more
  Cluster(const Cluster&) = delete;

  size_t gateways() const { return gateways_.size(); }
  std::vector<uint16_t> ports() const;
  void kill_gateway(size_t gateway);
  // On the same port; returns when it listens.
  void start_gateway(size_t gateway);

  // User + system time so far; of killed ones, too.
  double core_cpu_seconds() const { return core_->cpu_seconds(); }
  double gateways_cpu_seconds() const;
  double cpu_seconds() const { return core_cpu_seconds() + gateways_cpu_seconds(); }
  Memory core_memory() const { return core_->memory(); }
  Memory gateways_memory() const;

 private:
  std::unique_ptr<ServerProcess> make_gateway(uint16_t port) const;

  const std::string binary_, data_;
  const std::vector<std::string> more_;
  const int machine_core_;
  std::unique_ptr<ServerProcess> core_;
  std::vector<std::unique_ptr<ServerProcess>> gateways_;
  std::vector<uint16_t> ports_;
  double cpu_seconds_of_killed_ = 0;
};

}  // namespace tidings::bench
