// The decision state of a conversation: all that the fold may read beside the record (protocol.md §2). Saved
// and loaded as one atomic unit.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/conversation.h"
#include "model/ids.h"

namespace tidings::fold {

// What a repeat of a command is answered with (protocol.md §6); its time is the id's.
struct Entry {
  model::Seq seq;
  model::Ord ord;
  model::MessageId id;
  uint64_t body_hash = 0;
  model::Position position;
  friend bool operator==(const Entry&, const Entry&) = default;
};
struct KeyedEntry {
  model::ClientId client_id;
  Entry entry;
  friend bool operator==(const KeyedEntry&, const KeyedEntry&) = default;
};

inline constexpr size_t newest_entries_max = 16;
inline constexpr size_t own_after_read_max = 64;

struct Member {
  // A countable message that its sender sent while something was unread.
  struct OwnMessage {
    model::Seq seq;
    model::Ord ord;
    friend bool operator==(const OwnMessage&, const OwnMessage&) = default;
  };

  model::UserId user;
  model::Seq joined;  // the first seq that this member may read
  model::Seq read, delivered;
  model::Ord read_ord;
  std::vector<OwnMessage> own_after_read;  // at most own_after_read_max
  bool evicted = false;                    // something left own_after_read since the last mark
  std::optional<model::ClientId> highest;  // highest version-7 client id that has an entry
  std::vector<KeyedEntry> newest;  // entries of the newest version-7 ids, growing; at most newest_entries_max
  friend bool operator==(const Member&, const Member&) = default;
};

struct ConversationState {
  model::ConversationKind kind = model::ConversationKind::direct;
  model::Seq seq;  // head; 0: the conversation does not exist
  model::Ord ord;
  model::MessageId created_id, head_id;
  uint64_t marks = 0;       // accepted marks so far
  model::Position applied;  // the newest record that changed this state
  uint64_t chain = 0;       // hash over (position, outputs) of all records that did
  std::vector<Member> members;
  friend bool operator==(const ConversationState&, const ConversationState&) = default;

  bool exists() const { return seq.value > 0; }
  Member* member(model::UserId user);
  const Member* member(model::UserId user) const;
};

// Messages that `m` has not seen: exact, O(own_after_read) (protocol.md §8).
uint64_t unread(const ConversationState& c, const Member& m);

base::Bytes encode_state(const ConversationState& state);
base::Result<ConversationState> decode_state(base::BytesView bytes);
base::Bytes encode_entry(const Entry& entry);
base::Result<Entry> decode_entry(base::BytesView bytes);

}  // namespace tidings::fold
