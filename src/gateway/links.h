// A gateway's links to all core shards, and what their stamps tell: the log's time, and whether something was
// missed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ports/clock.h"
#include "ports/link.h"

namespace tidings::gateway {

class Links {
 public:
  explicit Links(ports::Clock& clock) : clock_(clock) {}

  void set(std::vector<ports::LinkToCore*> links);
  size_t count() const { return links_.size(); }
  // The core shard that owns the conversation.
  size_t shard_of(const model::ConversationId& conversation) const;
  // False: the link is full, nothing was taken.
  [[nodiscard]] bool send(size_t shard, ports::UpFrame frame);
  [[nodiscard]] bool send(const model::ConversationId& conversation, ports::UpFrame frame);

  // What comes next on it is the first of a new link.
  void reset(size_t shard);

  // Takes note of a batch. False: something before it was lost, or the core is another one than before.
  bool received(size_t shard, const ports::DownBatch& batch);

  // The newest stamp plus the monotonic time since. Before the first stamp the machine's clock stands in: the
  // answer to a command that this misjudges carries a stamp, and the next one is right.
  base::WallTime log_time() const;
  // The highest that any stamp told, of this core or of one before it.
  model::Position folded_below() const { return folded_below_; }

 private:
  struct Told {
    base::WallTime log_time;
    base::MonotonicTime at;
  };
  struct Link {
    ports::LinkToCore* to_core = nullptr;
    uint64_t last_number = 0;
    std::optional<uint64_t> source;
  };

  ports::Clock& clock_;
  std::vector<Link> links_;
  std::optional<Told> newest_;
  model::Position folded_below_;
};

}  // namespace tidings::gateway
