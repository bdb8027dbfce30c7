// The decision state of a conversation: all that the fold may read beside the record (protocol.md §2). Saved
// and loaded as one atomic unit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "fold/entry.h"
#include "model/conversation.h"
#include "model/ids.h"
#include "ports/store.h"

namespace tidings::fold {

inline constexpr size_t own_after_read_max = 64;
inline constexpr size_t intervals_max = 8;  // of a member; the oldest is forgotten, which only shrinks
inline constexpr size_t members_inside_max = model::listed_marks_max;  // above it members are parts
inline constexpr size_t taken_inside_max = 8;                          // likewise

// Seqs that a member may read, both included; until 0: a member now.
struct Interval {
  model::Seq since, until;
  bool has(model::Seq seq) const { return seq >= since && (until.value == 0 || seq <= until); }
  friend bool operator==(const Interval&, const Interval&) = default;
};

// Somebody who is or was a member.
struct Member {
  // A countable message that its sender sent while something was unread.
  struct OwnMessage {
    model::Seq seq;
    model::Ord ord;
    friend bool operator==(const OwnMessage&, const OwnMessage&) = default;
  };

  model::UserId user;
  model::Role role = model::Role::member;
  std::vector<Interval> intervals;  // growing, apart; empty: never a member yet (a block came first)
  model::Seq read, delivered;
  model::Seq shown_read;  // what others may know of `read`
  model::Ord read_ord;
  // The event with which this person ceased to be a member last.
  struct Leave {
    model::Ord ord;
    model::MessageId id;
    model::Position position;
    std::string title;  // as it was then: what it is called later is not for those who left
    friend bool operator==(const Leave&, const Leave&) = default;
  };
  Leave left;
  std::vector<OwnMessage> own_after_read;  // at most own_after_read_max
  bool evicted = false;  // something left own_after_read, and no mark has come that far since
  // Of one's own marks: the newest, and how many only one's own devices may know of.
  model::Position own_activity;
  uint64_t hidden_marks = 0;
  bool blocks = false;  // in a direct conversation: hears nothing from the other
  Entries entries;      // of this person's accepted commands here

  bool is_member() const { return !intervals.empty() && intervals.back().until.value == 0; }
  bool may_read(model::Seq seq) const;
  // The newest seq that this person may read, in a conversation with this head.
  model::Seq last_readable(model::Seq head) const;
  // The lowest seq >= `seq`, or the highest <= `seq`, that this person may read; nullopt if there is none.
  std::optional<model::Seq> readable_from(model::Seq seq) const;
  std::optional<model::Seq> readable_upto(model::Seq seq) const;

  bool unsaved = false;  // differs from what the store has; not part of the state
  friend bool operator==(const Member& a, const Member& b);
};

// The newest position of another conversation whose effect was applied here. In a person's own log this is
// also the list: what the person is, or was, a member of.
struct Taken {
  model::ConversationId source;
  model::Position position;
  model::ConversationKind kind = model::ConversationKind::direct;
  bool listed = false;

  bool unsaved = false;  // as above
  friend bool operator==(const Taken& a, const Taken& b);
};

struct ConversationState {
  model::ConversationKind kind = model::ConversationKind::direct;
  std::string title;
  model::History history = model::History::joining;
  model::Seq seq;  // head; 0: the conversation does not exist
  model::Ord ord;
  model::MessageId created_id, head_id;
  uint64_t marks = 0;  // accepted marks so far
  model::Position
      activity;  // of the newest event, or of the newest accepted mark up to listed_marks_max members
  model::Position applied;             // the newest record that changed this state
  uint64_t chain = 0;                  // hash over (position, outputs) of all records that did
  bool quarantined = false;            // everything is answered `internal`
  std::vector<Member> members;         // by user; those who left, too
  std::vector<Taken> taken;            // by source
  std::vector<model::UserId> blocked;  // in a person's own log; sorted

  size_t member_count = 0;  // who are members now
  bool partial = false;     // a glance: of many members only the viewer; not part of the state

  bool exists() const { return seq.value > 0; }
  // Marks are listed one by one, not counted.
  bool lists_marks() const { return !partial && members.size() <= model::listed_marks_max; }
  Member* member(model::UserId user);
  const Member* member(model::UserId user) const;
  // The same, made if need be.
  Member& known(model::UserId user);
  const Taken* taken_from(const model::ConversationId& source) const;
  Taken& take_from(const model::ConversationId& source);
  friend bool operator==(const ConversationState&, const ConversationState&) = default;
};

// Messages that `m` has not seen: exact (protocol.md §8).
uint64_t unread(const ConversationState& c, const Member& m);
// What others may know of everybody's marks; above listed_marks_max members only `viewer`'s. `viewer` sees
// all of its own.
std::vector<model::Mark> marks_for(const ConversationState& c, model::UserId viewer);
// Above listed_marks_max members: how many others have somebody's own newest events. Made once, asked for
// many.
class Counts {
 public:
  explicit Counts(const ConversationState& c);
  std::vector<model::ReadCount> of(model::UserId viewer) const;

 private:
  const ConversationState& c_;
  std::vector<model::Seq> read_, delivered_;  // of the members, sorted
};

// The state as the store keeps it: its value, and the parts that are unsaved. A state of few members and few
// sources has no parts.
struct EncodedState {
  base::Bytes value;
  std::vector<ports::StatePart> parts;
};
EncodedState encode_state(const ConversationState& state);
// What was encoded is on its way: nothing is unsaved now.
void mark_saved(ConversationState& state);
base::Result<ConversationState> decode_state(const ports::StoredState& stored);
// The key of the part that holds this member, if members are parts.
base::Bytes member_part(model::UserId user);
// What a list shows to one person: `stored` has of the parts only that person's. Maybe `partial`.
base::Result<ConversationState> glance(const ports::StoredState& stored);

}  // namespace tidings::fold
