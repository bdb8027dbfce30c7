// The core's side of gateway processes: Links for each, and one control connection per process. Listens once
// it is made, so make it when the core is ready.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "account/local_service.h"
#include "engine/socket/core_socket.h"
#include "ports/log.h"
#include "server/control_frames.h"
#include "server/core_node.h"

namespace tidings::server {

// Destroyed after its executors stopped.
class CoreDoor {
 public:
  struct Parts {
    std::string path;  // for log lines
    net::Listen listen;
    std::vector<base::Executor*> shards;  // one per core shard; the control connections are on the first
    CoreNode& core;
    account::LocalService& accounts;
    ports::Log& log;
    const base::Limits& limits;
    base::Registry& metrics;
    // Good hellos at gateways of other processes, for those of this one; on the first shard. May be empty.
    std::function<void(const gateway::DeviceHello&)> on_device_hello = {};
  };
  // Thread: the first shard's, or before it runs.
  static base::Result<std::unique_ptr<CoreDoor>> open(Parts parts, std::vector<model::Lineage> lineages);
  ~CoreDoor();

  // Its metrics stand there even where no gateway process may come.
  static void show_metrics(base::Registry& metrics);

  // One that is not among those told to open(). Thread: any.
  void on_lineage(const model::Lineage& lineage);
  // A good hello at a gateway of this process. Thread: any.
  void announce(const gateway::DeviceHello& hello);

 private:
  struct Control;

  explicit CoreDoor(Parts parts);
  void welcome(net::MessageSocket socket);
  void take(Control& from, AccountAsk& ask);
  void take(Control& from, const gateway::DeviceHello& hello);
  void take(Control& from, Alive& alive);
  void tell_all(const ControlDown& frame, const Control* except = nullptr);
  // Once a second. Also ends those that say nothing.
  void tell_status();

  const Parts parts_;
  std::vector<model::Lineage> lineages_;  // all that are known
  std::unique_ptr<socket::CoreSocket> core_socket_;
  std::map<uint64_t, std::unique_ptr<Control>> controls_;
  uint64_t last_control_ = 0;
  base::Gauge& processes_;
  base::GaugePart queue_bytes_, calls_;
  base::TimerId timer_ = 0;
  // Expires with this: what was posted and comes later is dropped.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidings::server
