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

// What is part of the rules, the same on every node that folds this log: constants, not configuration.
inline constexpr size_t members_max = 1024;
inline constexpr size_t members_known_max = 8192;
inline constexpr size_t blocks_max = 1000;

// The dedupe entries that a command needs and the state does not hold; nullopt: not needed.
struct Lookups {
  std::optional<model::ClientId> own, previous;
  bool none() const { return !own && !previous; }
};
Lookups lookups(const ConversationState& state, const model::Entering& record);

// What was found for them.
struct Found {
  std::optional<Entry> own, previous;
};

// Marks moved: whose, and whether only the person's own devices may know.
struct Moved {
  model::UserId user;
  bool hidden = false;
  bool shown_read = false, delivered = false;  // which of those that others see
};

struct Output {
  std::optional<ports::Reply> reply;
  std::optional<model::Event> event;
  Entries::Left entries;  // belong into rows of their own from now on
  std::optional<Moved> moved;
  bool changed = false;   // the state differs and must be written
  bool repeated = false;  // the record was applied before: reply and event are said once more, nothing else
};

// Applies `record` to `state` (state.exists() false: no such conversation). A record at or below `applied`
// changes nothing; if it was accepted then, its answer and its event come again. The message moves from the
// command into the event, so that a plain one allocates nothing.
Output fold(ConversationState& state, const Place& place, model::Entering&& record, const Found& found);

// The effects that follow from an event, in order (protocol.md §3). The event stood at `position`.
std::vector<model::Effect> effects_of(const model::Event& event, model::Position position);
// Whether there are any, by the kind alone: the index of its body + 1, as the feed tells it.
bool has_effects(uint8_t kind);
inline bool has_effects(const model::Event& event) {
  return has_effects(static_cast<uint8_t>(event.body.index() + 1));
}

}  // namespace tidings::fold
