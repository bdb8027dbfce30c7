// What stands in the log (protocol.md §2 "Records").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "model/conversation.h"
#include "model/ids.h"

namespace tidings::model {

// Where the answer of a command goes. `gateway` is random per gateway and start, so that a replay after a
// restart answers nobody by accident. `request` counts per gateway and is never sent to clients.
struct ReplyTo {
  uint64_t gateway = 0;
  uint64_t session = 0;  // 0: a REST request
  uint64_t request = 0;
  bool errors_only = false;  // the create before a first send: its ok is swallowed
  friend bool operator==(const ReplyTo&, const ReplyTo&) = default;
};

struct CreateConversation {
  ConversationKind kind = ConversationKind::direct;
  std::vector<UserId> members;  // creator first, nobody twice
  std::string title;            // of a group
  History history = History::joining;
  friend bool operator==(const CreateConversation&, const CreateConversation&) = default;
};
struct SendMessage {
  Message message;
  std::optional<ClientId> previous;  // the newest unanswered send of this device here; not in the body hash
  friend bool operator==(const SendMessage&, const SendMessage&) = default;
};
struct UpdateConversation {
  std::optional<std::string> title;
  std::optional<History> history;
  friend bool operator==(const UpdateConversation&, const UpdateConversation&) = default;
};
struct AddMembers {
  std::vector<UserId> users;
  friend bool operator==(const AddMembers&, const AddMembers&) = default;
};
struct RemoveMember {
  UserId user;
  friend bool operator==(const RemoveMember&, const RemoveMember&) = default;
};
struct LeaveConversation {
  friend bool operator==(const LeaveConversation&, const LeaveConversation&) = default;
};
struct SetRole {
  UserId user;
  Role role = Role::member;
  friend bool operator==(const SetRole&, const SetRole&) = default;
};
// In the person's own log.
struct SetBlock {
  UserId user;
  bool blocked = true;
  friend bool operator==(const SetBlock&, const SetBlock&) = default;
};

// A person's command.
struct Command {
  UserId user;
  DeviceId device;
  ReplyTo reply_to;
  ConversationId conversation;
  ClientId client_id;
  base::WallTime
      until{};  // a record with a later time is answered `busy` and changes nothing; not in the body hash
  std::variant<CreateConversation, SendMessage, UpdateConversation, AddMembers, RemoveMember,
               LeaveConversation, SetRole, SetBlock>
      body;
  friend bool operator==(const Command&, const Command&) = default;
};

// A member's watermarks move (the MARK of protocol.md §8). Never refused: what does not raise them changes
// nothing.
struct Marking {
  UserId user;
  ReplyTo reply_to;  // gateway 0: nobody asks for an answer
  ConversationId conversation;
  Seq read;             // 0: not told
  Ord read_ord;         // of the event at `read`
  Seq delivered;        // 0: not told
  bool hidden = false;  // `read` is for the person's own devices only
  friend bool operator==(const Marking&, const Marking&) = default;
};

// What effects say. (Outside of Effect, because a variant of nested structs with initialisers of their own
// could not be made within it.) To the person's own log: became a member of the source, or no longer is.
struct EffectListing {
  UserId person;
  ConversationKind kind = ConversationKind::direct;
  bool listed = true;
  friend bool operator==(const EffectListing&, const EffectListing&) = default;
};
// To a direct conversation, from the own log of `by`.
struct EffectBlocking {
  UserId by, user;
  bool blocked = true;
  friend bool operator==(const EffectBlocking&, const EffectBlocking&) = default;
};

// Follows from an event of another conversation (protocol.md §3 "Effects"); applied once, in the order of the
// source's positions.
struct Effect {
  using Listing = EffectListing;
  using Blocking = EffectBlocking;

  ConversationId conversation;  // where it is applied
  ConversationId source;
  Position source_position;
  UserId from;  // who caused it
  std::variant<Listing, Blocking> body;
  friend bool operator==(const Effect&, const Effect&) = default;
};

// The state of this conversation cannot be read: it answers `internal` from here on, so that no other
// conversation waits for it.
struct Quarantine {
  ConversationId conversation;
  friend bool operator==(const Quarantine&, const Quarantine&) = default;
};

// A beginning of the stream's history (protocol.md §1 "Lineage"); stands under stream_partition.
struct Lineage {
  enum class Reason : uint8_t { start = 1, restore = 2, promotion = 3 };
  uint64_t tag = 0;  // random; `welcome.branch` is the newest one
  Position base;
  base::WallTime time{};
  Reason reason = Reason::start;
  friend bool operator==(const Lineage&, const Lineage&) = default;
};

// The fold version in force for the records after it; stands under stream_partition.
struct FoldVersion {
  uint32_t version = 1;
  friend bool operator==(const FoldVersion&, const FoldVersion&) = default;
};

// What a conversation is told.
using Entering = std::variant<Command, Marking, Effect, Quarantine>;
using Record = std::variant<Command, Marking, Effect, Quarantine, Lineage, FoldVersion>;

}  // namespace tidings::model
