// A sync goes to every core shard; each answers for the conversations that it owns. This puts the answers
// together.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "ports/link.h"

namespace tidings::gateway {

class SyncGather {
 public:
  // `shards` answers are awaited; the whole has at most `limit` rows.
  SyncGather(size_t shards, size_t limit) : awaited_(shards), limit_(limit) {}

  // One shard's answer. True: it was the last.
  bool add(wire::Answer<ports::SyncRows> answer);
  // All rows by conversation, cut at the smallest `next` (rows of other shards above it come again with the
  // next sync), with the lowest activity. An error of any shard is the error of all.
  wire::Answer<ports::SyncRows> take();

 private:
  size_t awaited_, limit_;
  std::optional<wire::Problem> problem_;
  std::optional<model::Position> activity_;
  ports::SyncRows all_;
};

}  // namespace tidings::gateway
