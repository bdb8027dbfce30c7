// What this client knows of one conversation beside its events: who is in it, what one may do, how far
// everybody has read. Values and pure functions; the order of calls is the business of Timelines.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/conversation.h"
#include "wire/frames.h"

namespace tidings::client {

// How much of a conversation is fetched before anybody asks for it.
enum class CatchUp : uint8_t {
  everything,  // all events from seq 1
  newest,      // nothing of what was said before this client saw the conversation; see Core::history()
};

inline constexpr size_t members_known_max = 10'000;  // of one conversation; further ones are only counted
inline constexpr size_t counts_known_max = 64;  // own messages of a large group whose readers are counted

struct ConversationView {
  model::ConversationId conversation;
  model::ConversationKind kind = model::ConversationKind::direct;
  std::string title;                                 // of a group; may be empty
  model::History history = model::History::joining;  // as far as events told
  model::Role role = model::Role::member;            // one's own
  bool left = false;          // one is no longer in it: what was readable still is, sends are refused
  uint64_t member_count = 0;  // now, oneself included; 0 if `left`
  // Those known by events, and up to listed_marks_max members by their marks. With CatchUp::everything all,
  // once the events were fetched.
  std::vector<model::UserId> members;
  std::map<model::UserId, model::Role> raised;  // of these, those known to be more than Role::member
  std::map<model::UserId, model::Seq> since;    // of these, those known to have joined later, with the event

  model::Cursor have;  // newest place without a gap below, and the newest event held there or below it
  model::Seq head;     // newest event known to exist
  // From `first` to `have` every event is held, or known to be a hole. With `earlier` the server may have
  // something below `first`.
  model::Seq first{1};
  bool earlier = false;

  uint64_t unread = 0;  // messages of others above one's own read mark
  // What the server told of the members' marks, one's own included, by user. In conversations of more than
  // listed_marks_max members only one's own, and `counts` for one's own newest messages, by seq.
  std::vector<model::Mark> marks;
  std::vector<model::ReadCount> counts;

  // Up to which event a sync has told title, role, left and member_count.
  model::Seq told_to;

  model::Role role_of(model::UserId user) const;
  // Zeros if nothing is known.
  model::Mark mark_of(model::UserId user) const;
};

// Takes in the next event, in order. `self` is who looks at it.
void fold(ConversationView& view, const model::Event& event, model::UserId self);
// Takes in what a sync told, but for places, marks and unread.
void fold(ConversationView& view, const wire::SyncedConversation& row);
// Whoever has no mark among these, which list all members, is none.
void keep_members(ConversationView& view, const std::vector<model::Mark>& marks);
// Takes in marks and counts as maxima. True if something moved.
bool fold_marks(ConversationView& view, const std::vector<model::Mark>& marks,
                const std::vector<model::ReadCount>& counts, uint64_t members);

// How far one's own message has come.
struct Ticks {
  enum class State : uint8_t {
    sent,       // the server has it
    delivered,  // a device of each of the others has it
    read,       // each of the others has read it
  };
  uint64_t read = 0, delivered = 0;  // by how many of the others
  uint64_t of = 0;                   // how many others could
  State state() const {
    if (of == 0) return State::sent;
    return read >= of ? State::read : delivered >= of ? State::delivered : State::sent;
  }
  friend bool operator==(const Ticks&, const Ticks&) = default;
};
Ticks ticks(const ConversationView& view, model::Seq seq, model::UserId self);

}  // namespace tidings::client
