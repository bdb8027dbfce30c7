// The domain of one server process, wired: core shards, store writer, links and gateways over the ports it is
// given. The real server (server.h) gives it threads and engines, test/sim virtual ones; everything in here
// is the same code.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "account/service.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "gateway/gateway.h"
#include "ports/clock.h"
#include "ports/log.h"
#include "ports/random.h"
#include "ports/store.h"

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
  };
  // Reads where the last run ended; blocks on the store.
  static base::Result<std::unique_ptr<Node>> make(Parts parts);
  ~Node();

  // Writes this start's lineage, replays the log and goes on with what is appended. `ready` runs on shard 0
  // once all that was in the log is folded and the lineage is durable: from then on connections may be
  // accepted. Call once.
  void start(base::Task ready);

  gateway::Gateway& gateway(size_t shard);
  // Ends sessions, then writes what is folded and syncs the store; `done` on shard 0. Call once.
  void drain(base::Task done);

  // Sum over all partitions of the fold's hash; exact while nothing is on its way. Blocks on nothing; call
  // when quiet, with the shards' executors not running (simulator) or through them.
  uint64_t fold_hash() const;
  // Every shard has folded all that the log handed out. As above.
  bool quiet() const;

 private:
  struct State;
  explicit Node(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tidings::server
