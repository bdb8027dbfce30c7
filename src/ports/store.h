#pragma once

#include <chrono>
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
  // The effects of all events up to and including this position stand in the log; never above `position`.
  model::Position effects;
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

// A part of a state that is written apart from it, under a key of its own (at most 32 bytes, not empty).
struct StatePart {
  base::Bytes key;
  base::Bytes value;
  friend bool operator==(const StatePart&, const StatePart&) = default;
};
// A decision state as it was written: its value, and all its parts by key. Never a mix of two writes.
struct StoredState {
  base::Bytes value;
  std::vector<StatePart> parts;
  friend bool operator==(const StoredState&, const StoredState&) = default;
};

// How long steps are kept.
inline constexpr base::milliseconds step_age_max = std::chrono::hours(24 * 30);

// What one flush writes. Values are bytes that fold/ and wire/ encode; the store sees keys and bytes.
struct StoreBatch {
  struct State {
    model::ConversationId conversation;
    model::Position version;  // `applied`: a write with a lower version than the stored one changes nothing,
                              // neither value nor parts
    base::Bytes value;
    std::vector<StatePart> parts;  // those that changed; the others stay as they are
  };
  // The packed events first..last of one conversation.
  struct Chunk {
    model::ConversationId conversation;
    model::Seq first, last;
    base::Bytes value;
  };
  // One dedupe entry in a row of its own.
  struct Entry {
    model::ConversationId conversation;
    model::UserId user;
    model::ClientId client_id;
    base::Bytes value;
  };
  // Dedupe entries that left the decision state together: client ids first..last. Blocks of a person in a
  // conversation do not overlap.
  struct EntryBlock {
    model::ConversationId conversation;
    model::UserId user;
    model::ClientId first, last;
    base::Bytes value;
  };
  // `user` sees `conversation` in the list.
  struct ListRow {
    model::UserId user;
    model::ConversationId conversation;
  };
  // A member of a group read or received up to `seq`: who and when (protocol.md §8). The value begins with
  // the time (i64, ms since 1970, little-endian). A step that is more than step_age_max older than the newest
  // checkpoint may be gone: nothing but a display may depend on it.
  struct Step {
    model::ConversationId conversation;
    model::UserId user;
    model::Seq seq;
    base::Bytes value;
  };
  // Accepted events, by the position of the newest among them (protocol.md §3 "Feed").
  struct FeedEntry {
    model::Position position;
    base::WallTime time{};
    base::Bytes value;
  };
  // A state that could not be decoded, kept for people.
  struct Damaged {
    model::ConversationId conversation;
    base::Bytes value;
  };

  std::vector<State> states;
  std::vector<Chunk> chunks;
  std::vector<Entry> entries;
  std::vector<EntryBlock> entry_blocks;
  std::vector<ListRow> list_rows;
  std::vector<Step> steps;
  std::vector<FeedEntry> feed;
  std::vector<Damaged> damaged;
  std::vector<Checkpoint> checkpoints;
  std::optional<model::Position> low;             // lowest position of the stream not yet folded and written
  std::optional<base::Bytes> lineage;             // replaces the stored list of lineages
  std::optional<model::Position> feed_kept_from;  // feed entries below are forgotten, this batch's too
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

  virtual base::Result<std::optional<StoredState>> load_state(const model::ConversationId& conversation) = 0;
  // The same for many, in order, but of the parts only the one under `part` (if it is there).
  virtual base::Result<std::vector<std::optional<StoredState>>> load_states(
      const std::vector<model::ConversationId>& conversations, base::BytesView part) = 0;
  // The row of that very client id and the block whose first..last has it in between, each if it is there.
  struct FoundEntries {
    std::optional<base::Bytes> single, block;
  };
  virtual base::Result<FoundEntries> find_entry(const model::ConversationId& conversation, model::UserId user,
                                                const model::ClientId& client_id) = 0;
  // The chunks that hold seqs above `after`, in order, until `bytes_max` is reached (at least one chunk if
  // there is any). The first may begin at or below `after`.
  virtual base::Result<std::vector<StoreBatch::Chunk>> read_chunks(const model::ConversationId& conversation,
                                                                   model::Seq after, size_t bytes_max) = 0;
  // The chunks that hold seqs below `before`, the newest first, until `bytes_max` is reached (at least one if
  // there is any). The first may end at or above `before`.
  virtual base::Result<std::vector<StoreBatch::Chunk>> read_chunks_before(
      const model::ConversationId& conversation, model::Seq before, size_t bytes_max) = 0;
  // The person's first step at or above `seq`.
  virtual base::Result<std::optional<StoreBatch::Step>> find_step(const model::ConversationId& conversation,
                                                                  model::UserId user, model::Seq seq) = 0;
  // Feed entries with position >= from, in order, until `bytes_max` is reached (at least one if there is
  // any).
  virtual base::Result<std::vector<StoreBatch::FeedEntry>> read_feed(model::Position from,
                                                                     size_t bytes_max) = 0;
  // The bytes of the values of all feed entries. Does not read.
  virtual base::Result<uint64_t> feed_bytes() = 0;
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
