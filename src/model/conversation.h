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

enum class ConversationKind : uint8_t { direct = 1 };  // group and broadcast come with People

enum class MessageKind : uint8_t { text = 1 };

struct Message {
  MessageKind kind = MessageKind::text;
  std::string text;
  friend bool operator==(const Message&, const Message&) = default;
};

// --- Events: what the fold accepted. One per record at most.
struct ConversationCreated {
  ConversationKind kind = ConversationKind::direct;
  std::vector<UserId> members;  // creator first
  friend bool operator==(const ConversationCreated&, const ConversationCreated&) = default;
};
struct MessageCreated {
  Message message;
  friend bool operator==(const MessageCreated&, const MessageCreated&) = default;
};

struct Event {
  ConversationId conversation;
  Seq seq;
  Ord ord;
  MessageId id;
  base::WallTime time;
  UserId from;
  ClientId client_id;
  std::variant<ConversationCreated, MessageCreated> body;
  friend bool operator==(const Event&, const Event&) = default;
};

// The newest event that somebody holds: its place and, as a fingerprint, its id (protocol.md §5).
struct Cursor {
  Seq seq;
  MessageId id;
  friend bool operator==(const Cursor&, const Cursor&) = default;
};

// A member's watermarks.
struct Mark {
  UserId user;
  Seq read;
  Seq delivered;
};

// Why a page has no event for some seqs (protocol.md §7).
enum class HoleReason : uint8_t { not_member, retention, expired, hidden, unreadable };
struct Hole {
  Seq from, to;  // inclusive
  HoleReason why;
};

}  // namespace tidings::model
