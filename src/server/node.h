// Core and gateways in one process: linked in memory, shard i with gateway i on one executor. The real server
// (server.h) gives it threads and engines, test/sim virtual ones; everything in here is the same code.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "account/service.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "ports/random.h"
#include "ports/store.h"
#include "server/core_node.h"
#include "server/gateway_node.h"

namespace tidings::server {

class Node {
 public:
  struct Parts {
    std::vector<base::Executor*> shards;  // one per core shard; gateway i and core shard i share executor i
    base::Executor& store_executor;       // the one writer of the store; may block
    base::Executor& readers;              // pool that may block
    ports::Clock& clock;
    ports::Random& random;
    ports::Log& log;
    ports::Store& store;
    account::Service& accounts;  // started
    const base::Limits& limits;
    base::Registry& metrics;
    std::function<void(std::string)> fatal;  // any thread; the process must end without answering anybody
    // As GatewayNode::Parts::announce.
    std::function<void(const gateway::DeviceHello&)> announce = {};
    // Told on the log's executor of every lineage that was not known at the start. May be empty.
    std::function<void(const model::Lineage&)> on_lineage = {};
  };
  // Reads where the last run ended; blocks on the store.
  static base::Result<std::unique_ptr<Node>> make(Parts parts);
  ~Node();

  // Writes this start's lineage, replays the log and goes on with what is appended. `ready` runs on shard 0
  // once all that was in the log is folded and the lineage is durable: from then on connections may be
  // accepted. Call once.
  void start(base::Task ready);

  CoreNode& core();
  GatewayNode& gateways();
  gateway::Gateway& gateway(size_t shard) { return gateways().gateway(shard); }
  // Ends sessions, then writes what is folded and syncs the store; `done` on shard 0. Call once.
  void drain(base::Task done);

  uint64_t fold_hash() const;  // as CoreNode's
  bool quiet() const;

 private:
  struct State;
  explicit Node(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tidings::server
