// What stands in the log (protocol.md §2 "Records"). MARK and EFFECT come with People.
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
  std::vector<UserId> members;  // creator first
  friend bool operator==(const CreateConversation&, const CreateConversation&) = default;
};
struct SendMessage {
  Message message;
  std::optional<ClientId> previous;  // the newest unanswered send of this device here; not in the body hash
  friend bool operator==(const SendMessage&, const SendMessage&) = default;
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
  std::variant<CreateConversation, SendMessage> body;
  friend bool operator==(const Command&, const Command&) = default;
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

using Record = std::variant<Command, Lineage, FoldVersion>;

}  // namespace tidings::model
