// A gateway process's connections to its core: the control connection, and a Link from each gateway to each
// core shard. They stand or fall together: when one breaks all are closed, every gateway hears
// on_link_lost(), and the core is asked again with a growing pause until all stand.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/socket/gateway_end.h"
#include "ports/clock.h"
#include "server/control_client.h"
#include "server/core_time.h"
#include "server/gateway_node.h"
#include "server/remote_accounts.h"

namespace tidings::server {

// Destroyed after its executors stopped.
class CoreConnection {
 public:
  struct Parts {
    std::string path;  // for log lines
    net::Connect connect;
    std::vector<base::Executor*> shards;  // one per gateway; the control connection is on the first
    GatewayNode& gateways;                // which have no links yet
    RemoteAccounts& accounts;             // its home is the first shard
    CoreTime& time;
    CoreFacts facts;  // what the core said when the process began
    const base::Limits& limits;
    std::function<void(std::string)> fatal;  // the core is not the one that this process was built for
    base::Gauge* link_up_bytes = nullptr;    // may be null
  };
  // Gives the gateways their links, which are closed. Before the executors run.
  explicit CoreConnection(Parts parts);
  ~CoreConnection();

  // `ready` runs on the first shard when all stand for the first time. Call once. Thread: any.
  void start(base::Task ready);
  // A good hello at a gateway here. Thread: any.
  void announce(const gateway::DeviceHello& hello);
  // All connections stand, and the core's log takes records. Thread: any.
  bool takes_writes() const { return stands_ && !refuses_; }

 private:
  void on_down(ControlDown& frame);
  void take(const CoreFacts& facts);
  void open_links();
  void opened(uint64_t generation);
  void lost(uint64_t generation);
  // What a gateway could not tell and not hear while there was no core: the hellos of its devices are
  // announced (whoever knows a newer one answers), then its sessions of devices that were logged out end;
  // then its links are ready.
  void catch_up(uint64_t generation, size_t index);
  void end_revoked(uint64_t generation, size_t index, std::vector<model::DeviceId> devices);
  void links_ready(size_t index);
  void report(void (CoreConnection::*what)(uint64_t), uint64_t generation);

  const Parts parts_;
  ControlClient control_;
  std::vector<std::vector<std::unique_ptr<socket::GatewayEnd>>> links_;  // by gateway and core shard
  std::vector<uint64_t> generations_;  // by gateway: which try its links belong to; touched on its executor
  // On the first shard:
  std::vector<model::Lineage> lineages_;
  uint64_t generation_ = 0;  // counts tries
  size_t open_ = 0;
  bool trying_ = false;
  base::Task ready_;

  std::atomic<bool> stands_ = false, refuses_ = false;
  // Expires with this: what was posted and comes later is dropped.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidings::server
