// One core shard: owns the partitions p with p mod shard_count == index, and takes their records from the log through
// the fold to the store, the senders and the members (protocol.md §2-§4). One executor; all calls on its thread unless said.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "ports/clock.h"
#include "ports/link.h"
#include "ports/log.h"
#include "ports/store.h"

namespace tidings::delivery {

class StoreWriter;

class Shard : public ports::CoreShard {
 public:
  struct Parts {
    size_t index = 0, shard_count = 1;
    base::Executor& executor;
    base::Executor& readers;  // pool that may block: reads of the store
    ports::Clock& clock;
    ports::Log& log;
    ports::Store& store;      // read here, on `readers`; written by `writer`
    StoreWriter& writer;
    const base::Limits& limits;
    base::Registry& metrics;
    uint64_t source = 0;      // LinkStamp::source
    // Told, on the shard's executor, of an error after which nothing may be acknowledged (the store failed): the process
    // must end.
    std::function<void(std::string)> fatal;
  };
  explicit Shard(Parts parts);
  ~Shard() override;

  // Where folding goes on: the checkpoints of this shard's partitions, and what is in memory of none.
  void start(const std::vector<ports::Checkpoint>& checkpoints);
  // Records of this shard's partitions (and of the stream), in position order; `end` is told even if there are none.
  void on_records(std::vector<ports::LogRecord> records, model::Position end);
  // Writes what is folded, then calls `done` here.
  void flush(base::Task done);

  // All below is folded. Equal to the log's end when nothing is on its way.
  model::Position folded_below() const;
  // Sum of the chains of all conversations of a partition; exact while nothing is on its way. Tests and the simulator.
  uint64_t partition_hash(model::PartitionId partition) const;

  void on_link(uint64_t gateway, ports::LinkToGateway& link) override;
  void on_up(uint64_t gateway, std::vector<ports::UpFrame> frames) override;
  ports::LinkStamp stamp() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidings::delivery
