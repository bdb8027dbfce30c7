// What people say and where: the values that commands carry in and events carry out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "model/ids.h"

namespace tidings::model {

enum class ConversationKind : uint8_t {
  direct = 1,  // two people, for ever
  group = 2,   // up to Limits::members_max people with roles
  self = 3,    // a person's own log: seen by that person's devices alone
};

enum class MessageKind : uint8_t { text = 1 };

// What a member of a group may do: a member talks, an admin also adds, removes members and renames, an owner
// also changes roles and removes admins. A group that has members has an owner.
enum class Role : uint8_t { member = 1, admin = 2, owner = 3 };

// What somebody who joins may read.
enum class History : uint8_t { joining = 1, all = 2 };

struct Message {
  MessageKind kind = MessageKind::text;
  std::string text;
  friend bool operator==(const Message&, const Message&) = default;
};

// --- Events: what the fold accepted. One per record at most.
struct ConversationCreated {
  ConversationKind kind = ConversationKind::direct;
  std::vector<UserId> members;  // creator first
  std::string title;            // of a group
  History history = History::joining;
  friend bool operator==(const ConversationCreated&, const ConversationCreated&) = default;
};
struct MessageCreated {
  Message message;
  friend bool operator==(const MessageCreated&, const MessageCreated&) = default;
};
// What changed; at least one of both.
struct ConversationUpdated {
  std::optional<std::string> title;
  std::optional<History> history;
  friend bool operator==(const ConversationUpdated&, const ConversationUpdated&) = default;
};
struct MembersAdded {
  std::vector<UserId> members;  // those who were none before
  friend bool operator==(const MembersAdded&, const MembersAdded&) = default;
};
struct MemberRemoved {
  UserId user;
  friend bool operator==(const MemberRemoved&, const MemberRemoved&) = default;
};
struct MemberLeft {
  UserId user;
  std::optional<UserId> successor;  // became owner, because the last owner left
  friend bool operator==(const MemberLeft&, const MemberLeft&) = default;
};
struct RoleChanged {
  UserId user;
  Role role = Role::member;
  friend bool operator==(const RoleChanged&, const RoleChanged&) = default;
};
// In the person's own log: is a member of this conversation now, or no longer.
struct ConversationListed {
  ConversationId conversation;
  ConversationKind kind = ConversationKind::direct;
  bool listed = true;
  friend bool operator==(const ConversationListed&, const ConversationListed&) = default;
};
// In the person's own log.
struct BlockSet {
  UserId user;
  bool blocked = true;
  friend bool operator==(const BlockSet&, const BlockSet&) = default;
};

struct Event {
  ConversationId conversation;
  Seq seq;
  Ord ord;
  MessageId id;
  base::WallTime time;
  UserId from;
  ClientId client_id;  // all zeros: it follows from an event of another conversation
  std::variant<ConversationCreated, MessageCreated, ConversationUpdated, MembersAdded, MemberRemoved,
               MemberLeft, RoleChanged, ConversationListed, BlockSet>
      body;
  friend bool operator==(const Event&, const Event&) = default;
};

// Only messages are counted by ord and by unread (protocol.md §5).
inline bool is_countable(const Event& event) {
  return std::holds_alternative<MessageCreated>(event.body);
}

// The newest event that somebody holds: its place and, as a fingerprint, its id (protocol.md §5).
struct Cursor {
  Seq seq;
  MessageId id;
  friend bool operator==(const Cursor&, const Cursor&) = default;
};

// A member's watermarks, as others may see them. read <= delivered.
struct Mark {
  UserId user;
  Seq read;
  Seq delivered;
  friend bool operator==(const Mark&, const Mark&) = default;
};
// How many of the other members have a message, where there are too many marks to list them.
struct ReadCount {
  Seq seq;
  uint64_t read = 0, delivered = 0;
  friend bool operator==(const ReadCount&, const ReadCount&) = default;
};
// Marks are listed one by one in conversations of up to so many members, counted in larger ones.
inline constexpr size_t listed_marks_max = 32;

struct MemberRow {
  UserId user;
  Role role = Role::member;
  friend bool operator==(const MemberRow&, const MemberRow&) = default;
};

// Why a page has no event for some seqs (protocol.md §7).
enum class HoleReason : uint8_t { not_member, retention, expired, hidden, unreadable };
struct Hole {
  Seq from, to;  // inclusive
  HoleReason why;
};

}  // namespace tidings::model
