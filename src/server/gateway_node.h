// The gateways of one process, wired: one per shard, with what they tell each other. Links to the core are
// given to them: of one process (node.h), or over sockets (core_connection.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/gateway.h"

namespace tidings::server {

class GatewayNode {
 public:
  struct Parts {
    std::vector<base::Executor*> shards;  // one per gateway
    ports::Clock& clock;
    ports::Random& random;
    account::Service& accounts;
    const base::Limits& limits;
    base::Registry& metrics;
    model::Lineage lineage;                // of the core's start
    std::vector<model::Lineage> lineages;  // those before
    // Told of good hellos here, on the gateway's executor, for gateways of other processes. May be empty.
    std::function<void(const gateway::DeviceHello&)> announce = {};
  };
  explicit GatewayNode(Parts parts);
  ~GatewayNode();

  size_t count() const;
  // Touched on its executor.
  gateway::Gateway& gateway(size_t shard);
  base::Executor& executor(size_t shard);

  // Runs `call` for each gateway on its executor. Thread: any.
  void each(std::function<void(gateway::Gateway&)> call);
  // One that the log has and that was not known yet. Thread: any.
  void on_lineage(const model::Lineage& lineage);
  // As Gateway::on_other_history. Thread: any.
  void on_other_history(const std::vector<model::Lineage>& lineages);
  // At a gateway of another process. Thread: any.
  void on_device_hello(const gateway::DeviceHello& hello);

  // Ends all sessions; `done` on shard 0. Call once.
  void drain(base::Task done);
  // Sessions that have not moved by themselves are told to go now. Thread: any.
  void hurry();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidings::server
