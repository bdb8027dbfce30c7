// The core of one server process, wired: core shards and store writer over the ports they are given, the log
// handed out to them, the lineages. Gateways are elsewhere: here (node.h) or in other processes
// (core_door.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "model/record.h"
#include "ports/clock.h"
#include "ports/link.h"
#include "ports/log.h"
#include "ports/random.h"
#include "ports/store.h"

namespace tidings::server {

class CoreNode {
 public:
  struct Parts {
    std::vector<base::Executor*> shards;  // one per core shard
    base::Executor& store_executor;       // the one writer of the store; may block
    base::Executor& readers;              // pool that may block
    ports::Clock& clock;
    ports::Random& random;
    ports::Log& log;
    ports::Store& store;
    const base::Limits& limits;
    base::Registry& metrics;
    std::function<void(std::string)> fatal;  // any thread; the process must end without answering anybody
  };
  // Reads where the last run ended; blocks on the store.
  static base::Result<std::unique_ptr<CoreNode>> make(Parts parts);
  ~CoreNode();

  // Writes this start's lineage, replays the log and goes on with what is appended. `ready` runs on shard 0
  // once all that was in the log is folded and the lineage is durable: from then on connections may be
  // accepted. `on_lineage` is told, on the log's executor, of every lineage that was not known yet. Call
  // once; links in the same process are open by then.
  void start(base::Task ready, std::function<void(const model::Lineage&)> on_lineage);

  size_t shard_count() const;
  // Touched on its executor.
  ports::CoreShard& shard(size_t index);
  // Of this start.
  const model::Lineage& lineage() const;
  // Those before, in order, as they were stored when this start began.
  const std::vector<model::Lineage>& known_lineages() const;

  // Writes what is folded and syncs the store; `done` on shard 0. Call once.
  void flush(base::Task done);

  // Sum over all partitions of the fold's hash; exact while nothing is on its way. Blocks on nothing; call
  // when quiet, with the shards' executors not running (simulator) or through them.
  uint64_t fold_hash() const;
  // Every shard has folded all that the log handed out. As above.
  bool quiet() const;

 private:
  struct State;
  explicit CoreNode(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tidings::server
