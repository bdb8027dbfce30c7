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
// A member's watermarks. `read_id` is the id of the event at marking.read; another one there: diverged,
// before the append. Answered if marking.reply_to names somebody.
struct Mark {
  model::Marking marking;
  std::optional<model::MessageId> read_id;
};
// A session of the person at this gateway begins or ends to look at the conversation. Those of a gateway are
// forgotten with its link.
struct Focus {
  model::UserId user;
  model::ConversationId conversation;
  bool looks = true;
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
// What lies around a place, for showing.
struct History {
  enum class Where : uint8_t { before, after, around };
  uint64_t query = 0;
  model::UserId user;
  model::ConversationId conversation;
  Where where = Where::before;
  model::Seq seq;
  std::optional<model::Cursor> have;
  size_t limit = 50;
};
// Sync of the part of from..to (inclusive) that this shard owns: with `activity` what has changed since then
// and what `vector` names (tier 2), else what differs from `vector`, sorted by conversation (tier 3).
struct VectorRow {
  model::ConversationId conversation;
  model::Seq seq;
  model::MessageId id;
  std::optional<uint64_t> mark_count;
};
struct Sync {
  uint64_t query = 0;
  model::UserId user;
  model::ConversationId from, to;
  std::vector<VectorRow> vector;
  std::optional<model::Position> activity;
  size_t limit = 500;
};
// Is the person a member now?
struct AskMember {
  uint64_t query = 0;
  model::UserId user;
  model::ConversationId conversation;
};
// The members, by user id, from above `after` on. For who is or was a member.
struct AskMembers {
  uint64_t query = 0;
  model::UserId user;
  model::ConversationId conversation;
  model::UserId after;
  size_t limit = 200;
};
// Whom the person blocks. To the shard of the person's own log.
struct AskBlocks {
  uint64_t query = 0;
  model::UserId user;
};
// Who of the other members has, and has read, the event at `seq`, and since when.
struct AskReads {
  uint64_t query = 0;
  model::UserId user;
  model::ConversationId conversation;
  model::Seq seq;
};
// Does the event stand there under that id, and may the person read it? What cannot be compared any more
// counts as there.
struct AskEvent {
  uint64_t query = 0;
  model::UserId user;
  model::ConversationId conversation;
  model::Cursor event;
};
using UpFrame = std::variant<Attach, Detach, Commands, Mark, Focus, Pull, History, Sync, AskMember,
                             AskMembers, AskBlocks, AskReads, AskEvent>;

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
  // Since when the record was durable, for the latency of ticks; its zero: not measured.
  base::MonotonicTime durable{};
};
// An accepted event for these people's sessions at this gateway. `bytes` is the whole frame, the same for
// every socket.
struct EventOut {
  model::ConversationId conversation;
  model::Seq seq;
  model::UserId from;
  std::vector<model::UserId> people;
  uint64_t except_session =
      0;  // it gets the reply instead; 0: nobody (only for the gateway that sent the command)
  std::string bytes;
  // Of the people, who became members by it, unless it is the first event: they lack what lies below.
  std::vector<model::UserId> joined = {};
  // When it was folded, for the latency of deliveries; its zero: not measured.
  base::MonotonicTime folded{};
};
// Marks have moved. `bytes` is the whole frame.
struct ReceiptOut {
  model::ConversationId conversation;
  std::vector<model::UserId> people;
  bool in_focus = false;  // only for sessions that look at the conversation
  std::string bytes;
};
// As wire::PageFrame.
struct Page {
  model::ConversationId conversation;
  std::vector<std::string> events;  // whole event frames
  std::vector<model::Hole> holes;
  model::Seq from, upto, head, asof;
  bool more = false, earlier = false;
  std::vector<model::Mark> marks;
  uint64_t mark_count = 0;
  std::vector<model::ReadCount> counts;
  uint64_t members = 0;
};
// The answer of a pull or a history.
struct PageOut {
  uint64_t query = 0;
  wire::Answer<Page> page;
};
// As wire::SyncedConversation.
struct SyncRow {
  model::ConversationId conversation;
  model::ConversationKind kind = model::ConversationKind::direct;
  std::string title;
  model::Seq head;
  model::MessageId head_id;
  model::Ord ord;
  model::Role role = model::Role::member;
  bool left = false;
  uint64_t members = 0;
  std::vector<model::Mark> marks;
  uint64_t mark_count = 0;
  model::Ord read_ord;
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
struct Members {
  std::vector<model::MemberRow> rows;  // by user id
  bool more = false;
  uint64_t count = 0;  // of all
};
struct MembersOut {
  uint64_t query = 0;
  wire::Answer<Members> members;
};
// A time is known for 30 days, in groups. `read` is only told of who shows it.
struct ReadRow {
  model::UserId user;
  bool delivered = false, read = false;
  std::optional<base::WallTime> delivered_at, read_at;
};
struct ReadsOut {
  uint64_t query = 0;
  wire::Answer<std::vector<ReadRow>> rows;
};
struct BlocksOut {
  uint64_t query = 0;
  wire::Answer<std::vector<model::UserId>> users;
};
// The answer of AskEvent.
struct EventThereOut {
  uint64_t query = 0;
  wire::Answer<bool> there;
};
using DownFrame = std::variant<Reply, EventOut, ReceiptOut, PageOut, SyncOut, MemberOut, MembersOut, ReadsOut,
                               BlocksOut, EventThereOut>;

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
  // The link is gone when this returns: who is attached and what is in focus there is forgotten. A gateway
  // that comes back links itself anew.
  virtual void on_unlink(uint64_t gateway) = 0;
  virtual void on_up(uint64_t gateway, std::vector<UpFrame> frames) = 0;
  virtual LinkStamp stamp() const = 0;
};
class GatewayShard {
 public:
  virtual ~GatewayShard() = default;
  virtual void on_down(size_t core_shard, DownBatch batch) = 0;
};

}  // namespace tidings::ports
