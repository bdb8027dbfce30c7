// The Link between gateways and the core (protocol.md §10): the only way in which they meet. Every frame is a
// value; in process it is moved, later it is encoded.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/conversation.h"
#include "model/record.h"
#include "wire/codes.h"

namespace tidings::ports {

// --- Up: from a gateway to one core shard. `query` is the gateway's own number, given back in the answer.

// The person has a session at this gateway from now on: events of their conversations come down this link.
struct Attach {
  model::UserId user;
};
// The person's last session there ended.
struct Detach {
  model::UserId user;
};
// Commands of one conversation, to be appended together in this order (a first send is a create and a send).
struct Commands {
  std::vector<model::Command> commands;
};
// Events after a cursor. `check` is the newest event at or below `after` that the asker holds.
struct Pull {
  uint64_t query = 0;
  model::UserId user;
  model::ConversationId conversation;
  model::Seq after;
  std::optional<model::Cursor> check;
  size_t limit = 200;
};
// Sync tier 3 for the part of from..to (inclusive) that this shard owns; `vector` is sorted by conversation.
struct VectorRow {
  model::ConversationId conversation;
  model::Seq seq;
  model::MessageId id;
};
struct Sync {
  uint64_t query = 0;
  model::UserId user;
  model::ConversationId from, to;
  std::vector<VectorRow> vector;
  size_t limit = 500;
};
// Is the person a member now?
struct AskMember {
  uint64_t query = 0;
  model::UserId user;
  model::ConversationId conversation;
};
using UpFrame = std::variant<Attach, Detach, Commands, Pull, Sync, AskMember>;

// --- Down: from one core shard to a gateway, in fold order.

// The answer of a command. Refused before the append (`appended` false) means: nothing of it is in the log.
struct Reply {
  model::ReplyTo to;
  model::ConversationId conversation;
  model::ClientId client_id;
  std::optional<wire::Code> error;
  bool appended = true;
  bool duplicate = false;
  model::Seq seq;
  model::Ord ord;
  model::MessageId id;
  base::WallTime time{};
  std::optional<model::ClientId> missing;  // with `order`
};
// An accepted event for these people's sessions at this gateway. `bytes` is the whole frame, the same for
// every socket.
struct EventOut {
  model::ConversationId conversation;
  std::vector<model::UserId> people;
  uint64_t except_session =
      0;  // it gets the reply instead; 0: nobody (only for the gateway that sent the command)
  std::string bytes;
};
struct Page {
  model::ConversationId conversation;
  std::vector<std::string> events;  // whole event frames
  std::vector<model::Hole> holes;
  model::Seq upto, head, asof;
  bool more = false;
  std::vector<model::Mark> marks;
  uint64_t mark_count = 0;
};
struct PageOut {
  uint64_t query = 0;
  wire::Answer<Page> page;
};
struct SyncRow {
  model::ConversationId conversation;
  model::ConversationKind kind = model::ConversationKind::direct;
  std::string title;
  model::Seq head;
  model::MessageId head_id;
  model::Ord ord;
  std::vector<model::Mark> marks;
  uint64_t mark_count = 0;
  uint64_t unread = 0;
};
struct SyncRows {
  std::vector<SyncRow> rows;                  // sorted by conversation; equal rows are left out
  std::optional<model::ConversationId> next;  // where to go on, if the limit cut the answer
  model::Position activity;                   // the cursor handed out, taken before the list was read
};
struct SyncOut {
  uint64_t query = 0;
  wire::Answer<SyncRows> rows;
};
struct MemberOut {
  uint64_t query = 0;
  wire::Answer<bool> member;
};
using DownFrame = std::variant<Reply, EventOut, PageOut, SyncOut, MemberOut>;

// What every batch of the core carries.
struct LinkStamp {
  uint64_t source = 0;           // tag of the core's lineage and start
  base::WallTime log_time{};     // Log::time() when it was sent
  model::Position folded_below;  // the sending shard has folded all below
};
struct DownBatch {
  LinkStamp stamp;
  uint64_t number = 0;    // 1, 2, 3 … per link
  uint64_t previous = 0;  // number of the batch before; anything but the last one received is a gap
  std::vector<DownFrame> frames;
};

// A gateway's end of the link to one core shard. Thread: the gateway's shard.
class LinkToCore {
 public:
  virtual ~LinkToCore() = default;
  // Queues a frame; all of one loop turn travel together, in order. False if the link's bound is reached:
  // nothing was taken, the asker hears `busy`.
  [[nodiscard]] virtual bool send(UpFrame frame) = 0;
};

// The core shard's end of the link to one gateway. Thread: the core shard's.
class LinkToGateway {
 public:
  virtual ~LinkToGateway() = default;
  // Queues a frame; all of one loop turn travel together, in order, behind one stamp. Beyond the link's bound
  // frames are dropped, and the next batch that goes through shows a gap.
  virtual void send(DownFrame frame) = 0;
};

// Who receives at the two ends.
class CoreShard {
 public:
  virtual ~CoreShard() = default;
  // A gateway has linked itself (`gateway` is its ReplyTo::gateway); the link outlives neither end's
  // executor.
  virtual void on_link(uint64_t gateway, LinkToGateway& link) = 0;
  virtual void on_up(uint64_t gateway, std::vector<UpFrame> frames) = 0;
  virtual LinkStamp stamp() const = 0;
};
class GatewayShard {
 public:
  virtual ~GatewayShard() = default;
  virtual void on_down(size_t core_shard, DownBatch batch) = 0;
};

}  // namespace tidings::ports
