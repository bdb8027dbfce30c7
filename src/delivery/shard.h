// One core shard: owns the partitions p with p mod shard_count == index, and takes their records from the log
// through the fold to the store, the senders and the members (protocol.md §2-§4). shard.cc holds a record's
// way, shard_links.cc what gateways ask. One executor; all calls on its thread unless said.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/token_bucket.h"
#include "delivery/conversations.h"
#include "delivery/dispatcher.h"
#include "delivery/effects.h"
#include "delivery/flush.h"
#include "delivery/latency.h"
#include "delivery/queries.h"
#include "delivery/receipts.h"
#include "delivery/registry.h"
#include "delivery/store_writer.h"
#include "ports/clock.h"
#include "ports/link.h"
#include "ports/log.h"
#include "ports/store.h"

namespace tidings::delivery {

class Shard : public ports::CoreShard {
 public:
  struct Parts {
    size_t index = 0, shard_count = 1;
    base::Executor& executor;
    base::Executor& readers;  // pool that may block: reads of the store
    ports::Log& log;
    ports::Store& store;  // read here, on `readers`; written by `writer`
    StoreWriter& writer;
    const ports::Clock& clock;  // for rates and latencies; what is folded does not depend on it
    const base::Limits& limits;
    base::Registry& metrics;
    uint64_t source = 0;  // LinkStamp::source
    // Told, on the shard's executor, of an error after which nothing may be acknowledged (the store failed):
    // the process must end.
    std::function<void(std::string)> fatal;
    // Told how many payload bytes of on_records() wait for dispatch no longer. May be empty.
    std::function<void(size_t)> taken = {};
  };
  explicit Shard(Parts parts);
  ~Shard() override;

  // Where folding goes on: the checkpoints of this shard's partitions, and the stream's low. Reads the store
  // for effects that an earlier run left undone, so it blocks.
  base::Status start(const std::vector<ports::Checkpoint>& checkpoints, model::Position low);
  // Records of this shard's partitions and of the stream, and effects that its conversations caused
  // elsewhere, in position order; `end` is told even if there are none.
  void on_records(std::vector<ports::LogRecord> records, model::Position end);
  // Writes what is folded, then calls `done` here.
  void flush(base::Task done);

  // All below is folded. Equal to the log's end when nothing is on its way.
  model::Position folded_below() const;
  // Sum of the chains of all conversations of a partition; exact while nothing is on its way. Tests and the
  // simulator.
  uint64_t partition_hash(model::PartitionId partition) const;

  void on_link(uint64_t gateway, ports::LinkToGateway& link) override;
  void on_unlink(uint64_t gateway) override;
  void on_up(uint64_t gateway, std::vector<ports::UpFrame> frames) override;
  ports::LinkStamp stamp() const override;

 private:
  // A record of ours that has no place yet.
  struct Arrived {
    ports::LogRecord record;  // without its payload
    std::variant<model::Entering, model::FoldVersion> content;
    size_t bytes = 0;  // of the payload
    base::MonotonicTime durable{};
  };

  // --- records
  void arrive(ports::LogRecord record);
  void arrive(ports::LogRecord record, size_t bytes, model::Record&& decoded);
  bool is_mine(model::PartitionId partition) const {
    return partition.value % parts_.shard_count == parts_.index;
  }
  void taken(size_t bytes);
  bool dispatch(Arrived& arrived);  // false: it must wait
  void suspend(Conversation& conversation, Dispatched record);
  void dispatch_arrived();
  void go_on(Conversation& conversation);  // its queue, as far as it gets
  // Looks up what the front of the queue needs, or folds it.
  void fold_now(Conversation& conversation, Dispatched record, const fold::Found& found);
  void settle(Conversation& conversation, const fold::Place& place, fold::Output& out, model::UserId user);
  fold::Found found_in_memory(const Conversation& conversation, model::UserId user,
                              fold::Lookups& needed) const;
  // The conversation's state cannot be decoded: what waits is answered, and a record takes it out.
  void quarantine(Conversation& conversation);
  void refuse_damaged(Conversation& conversation, Dispatched record);
  void append_quarantine(const model::ConversationId& id);

  void note_sizes();

  // --- flush
  void arm_flush();
  void flush_now();

  // --- up frames
  void take(uint64_t gateway, ports::Attach frame);
  void take(uint64_t gateway, ports::Detach frame);
  void take(uint64_t gateway, ports::Commands frame);
  void take(uint64_t gateway, ports::Mark frame);
  void take(uint64_t gateway, ports::Focus frame);
  void take(uint64_t gateway, ports::Pull frame);
  void take(uint64_t gateway, ports::History frame);
  void take(uint64_t gateway, ports::Sync frame);
  void take(uint64_t gateway, ports::AskMember frame);
  void take(uint64_t gateway, ports::AskMembers frame);
  void take(uint64_t gateway, ports::AskBlocks frame);
  void take(uint64_t gateway, ports::AskReads frame);
  void take(uint64_t gateway, ports::AskEvent frame);
  void refuse(const std::vector<model::Command>& commands, wire::Code code);
  void mark(const ports::Mark& frame, Conversation& conversation);
  std::optional<wire::Code> append(std::vector<ports::Log::Append> records);
  void append_mark(const ports::Mark& frame, Conversation& conversation);
  void answer_mark(const model::Marking& marking, std::optional<wire::Code> error,
                   const Conversation* conversation);

  Parts parts_;
  Registry registry_;
  Dispatcher dispatcher_;
  Conversations conversations_;
  Flush flush_;
  Queries queries_;
  Effects effects_;
  Receipts receipts_;
  base::MonotonicTime arrived_at_;  // of the newest on_records()
  size_t arrived_bytes_ = 0;
  bool in_turn_ = false;         // of on_up(): the log is released at its end
  std::deque<Arrived> arrived_;  // not dispatched: a bound of dispatch is reached
  model::Position handed_out_;   // the log gave all below
  model::Position written_;      // the low of the last flush
  size_t folded_since_flush_ = 0;
  base::TimerId flush_timer_ = 0;
  // Timers of rare things hold this weakly.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<base::Task> flush_waiters_;
  Latency latency_;
  base::TokenBuckets<model::ConversationId> rates_;  // of commands, by conversation
  base::Counter& folded_;
  base::Counter& overtaken_;
  base::Counter& rate_limited_;
  base::GaugePart undispatched_records_;
  base::GaugePart undispatched_bytes_;
  base::GaugePart suspended_records_;
  base::GaugePart unflushed_records_;
};

}  // namespace tidings::delivery
