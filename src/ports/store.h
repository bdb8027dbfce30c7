#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/ids.h"

namespace tidings::ports {

// How far a partition's records are folded: all up to and including `position`.
struct Checkpoint {
  model::PartitionId partition;
  model::Position position;
  base::WallTime time{};      // the dispatch time of that very record, never a newer one
  uint32_t fold_version = 1;  // in force after that record
  uint64_t hash = 0;          // sum mod 2^64 of the chains of the states written so far
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

// What one flush writes. Values are bytes that fold/ and wire/ encode; the store sees keys and bytes.
struct StoreBatch {
  struct State {
    model::ConversationId conversation;
    model::Position version;  // `applied`: a write with a lower version than the stored one changes nothing
    base::Bytes value;
  };
  // The packed events first..last of one conversation.
  struct Chunk {
    model::ConversationId conversation;
    model::Seq first, last;
    base::Bytes value;
  };
  // One dedupe entry that left the decision state.
  struct Entry {
    model::ConversationId conversation;
    model::UserId user;
    model::ClientId client_id;
    base::Bytes value;
  };
  // `user` sees `conversation` in the list.
  struct ListRow {
    model::UserId user;
    model::ConversationId conversation;
  };

  std::vector<State> states;
  std::vector<Chunk> chunks;
  std::vector<Entry> entries;
  std::vector<ListRow> list_rows;
  std::vector<Checkpoint> checkpoints;
  std::optional<model::Position> low;  // lowest position of the stream not yet folded and written
  std::optional<base::Bytes> lineage;  // replaces the stored list of lineages
};

// The projection of the fold (protocol.md §3). commit() is called by one thread only; reads come from any
// thread and see every batch whose commit returned. All calls block. An error of commit() or sync() is fatal
// for the process: after it nothing may be acknowledged, the restart replays the log. A read that fails is
// tried again, or its asker is told.
class Store {
 public:
  virtual ~Store() = default;

  // All of it or nothing, also through a crash; not synced: a power cut may fall back to an earlier batch,
  // and then to no later one.
  virtual base::Status commit(const StoreBatch& batch) = 0;
  // What was committed survives power loss once it returned ok.
  virtual base::Status sync() = 0;

  virtual base::Result<std::optional<base::Bytes>> load_state(const model::ConversationId& conversation) = 0;
  // The same for many, in order.
  virtual base::Result<std::vector<std::optional<base::Bytes>>> load_states(
      const std::vector<model::ConversationId>& conversations) = 0;
  virtual base::Result<std::optional<base::Bytes>> find_entry(const model::ConversationId& conversation,
                                                              model::UserId user,
                                                              const model::ClientId& client_id) = 0;
  // The chunks that hold seqs above `after`, in order, until `bytes_max` is reached (at least one chunk if
  // there is any). The first may begin at or below `after`.
  virtual base::Result<std::vector<StoreBatch::Chunk>> read_chunks(const model::ConversationId& conversation,
                                                                   model::Seq after, size_t bytes_max) = 0;
  // The person's conversations with from <= id <= to, in id order, at most `limit`.
  virtual base::Result<std::vector<model::ConversationId>> list(model::UserId user,
                                                                const model::ConversationId& from,
                                                                const model::ConversationId& to,
                                                                size_t limit) = 0;
  virtual base::Result<std::vector<Checkpoint>> checkpoints() = 0;
  virtual base::Result<model::Position> low() = 0;  // 0 in an empty store
  virtual base::Result<std::optional<base::Bytes>> lineage() = 0;
};

}  // namespace tidings::ports
