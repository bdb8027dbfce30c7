// The deterministic heart: (state, record) → (state', reply, at most one event) (protocol.md §2 and its
// appendix "the fold"). No clock, no I/O, no randomness, integers only: two nodes that fold one log agree
// byte for byte.
#pragma once

#include <optional>

#include "base/time.h"
#include "fold/state.h"
#include "model/conversation.h"
#include "model/record.h"
#include "ports/link.h"

namespace tidings::fold {

inline constexpr uint32_t newest_version = 1;

// When and where a record was dispatched. `time` is the dispatch time, `stamp` the log's own.
struct Place {
  model::Position position;
  model::PartitionId partition;
  base::WallTime time{};
  base::WallTime stamp{};
  uint32_t fold_version = newest_version;
};

// The dedupe entries that a command needs and the state does not hold; nullopt: not needed.
struct Lookups {
  std::optional<model::ClientId> own, previous;
  bool none() const { return !own && !previous; }
};
Lookups lookups(const ConversationState& state, const model::Command& command);

// What was found for them.
struct Found {
  std::optional<Entry> own, previous;
};

struct Output {
  std::optional<ports::Reply> reply;  // always there but for a record that was applied before
  std::optional<model::Event> event;
  // Entries that belong into rows of their own from now on: left the newest, or never entered them.
  std::optional<KeyedEntry> entry;
  bool changed = false;  // the state differs and must be written
};

// Applies `command` to `state` (state.exists() false: no such conversation). A record at or below `applied`
// changes and answers nothing. The message moves from the command into the event, so that a plain one
// allocates nothing.
Output fold(ConversationState& state, const Place& place, model::Command&& command, const Found& found);

}  // namespace tidings::fold
