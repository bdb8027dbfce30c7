// A gateway process of the simulated machine, one after another: the real GatewayNode, RemoteAccounts and
// CoreConnection on simulated executors, over simulated sockets.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "gateway/gateway.h"
#include "ports/clock.h"
#include "test/sim/links.h"
#include "test/sim/machine.h"
#include "test/sim/network.h"
#include "test/sim/plan.h"
#include "test/sim/scheduler.h"

namespace tidings::sim {

class GatewayProcess {
 public:
  struct Parts {
    Scheduler& scheduler;
    Network& network;
    Links& links;
    const Plan& plan;
    ports::Clock& clock;  // the machine's
    ports::Random& random;
    size_t place;  // in the network
    // With every run that ends, before its metrics go.
    std::function<void(base::Registry&)> on_end;
    // One has died by itself. Outside of all processes.
    std::function<void()> on_death;
  };
  explicit GatewayProcess(Parts parts);
  ~GatewayProcess();

  // A new process; it accepts connections once it stands in touch with the core. Does nothing if one runs.
  void start();
  // `power`: with its machine.
  void kill(bool power = false);
  // It dies at that step of its own; 0: not.
  void crash_in(uint64_t steps);
  // Ends its sessions and then itself.
  void stop();

  bool running() const { return run_ != nullptr; }
  bool ready() const;
  // While it runs.
  const Process& process() const;
  base::Registry* metrics() const;
  // Requests that wait for the core.
  int64_t requests_under_way() const;
  // Runs `call` on one of its gateways; false if it is not ready.
  bool on_gateway(size_t shard, std::function<void(gateway::Gateway&)> call);

 private:
  struct Run;
  void begin(Run& run);
  void build(Run& run);

  const Parts parts_;
  std::unique_ptr<Run> run_;
  int runs_ = 0;
};

}  // namespace tidings::sim
