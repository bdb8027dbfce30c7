// The frames of subprotocol tidings.v1.json as values, and their JSON (docs/protocol/frames.md). Both
// directions are here: the server parses client frames and writes server frames, client/cpp does the reverse.
// Unknown fields are ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/conversation.h"
#include "model/ids.h"
#include "model/record.h"
#include "wire/codes.h"

namespace tidings::wire {

inline constexpr std::string_view subprotocol_json = "tidings.v1.json";
inline constexpr int protocol_version = 1;

// A client's number for a request, answered under the same number. 1..2^53-1.
using Request = uint64_t;

// --- client to server
struct Hello {
  int version_min = 1, version_max = 1;
  std::string token;
  std::string app;
  std::vector<std::string> capabilities;
  std::optional<std::string> branch;  // of the last welcome
  struct Newest {
    model::ConversationId conversation;
    model::Cursor event;
  };
  std::optional<Newest> newest;
  // To go on with an earlier session (protocol.md §11): all three, or it is a new one.
  std::optional<std::string> session, resume;  // of its last welcome
  std::optional<uint64_t> received;            // its counted frames that are stored here
};
struct Ping {};
struct Ack {
  uint64_t received = 0;
};
struct Bye {};
struct MessageSend {
  Request request = 0;
  std::optional<model::ConversationId> conversation;  // exactly one of conversation and to
  std::optional<model::UserId> to;
  model::ClientId client_id;
  std::optional<model::ClientId> previous;
  std::optional<base::WallTime> until;  // the smaller of this and the gateway's counts
  model::Message message;
};
struct ConversationCreate {
  Request request = 0;
  model::ClientId client_id;
  model::ConversationKind kind = model::ConversationKind::direct;  // direct or group
  std::vector<model::UserId> members;                              // without or with the creator
  std::string title;                                               // of a group; may be empty
  model::History history = model::History::joining;
};
// At least one of title and history.
struct ConversationUpdate {
  Request request = 0;
  model::ConversationId conversation;
  model::ClientId client_id;
  std::optional<std::string> title;
  std::optional<model::History> history;
};
struct ConversationLeave {
  Request request = 0;
  model::ConversationId conversation;
  model::ClientId client_id;
};
struct MemberAdd {
  Request request = 0;
  model::ConversationId conversation;
  model::ClientId client_id;
  std::vector<model::UserId> users;
};
struct MemberRemove {
  Request request = 0;
  model::ConversationId conversation;
  model::ClientId client_id;
  model::UserId user;
};
struct MemberRole {
  Request request = 0;
  model::ConversationId conversation;
  model::ClientId client_id;
  model::UserId user;
  model::Role role = model::Role::member;
};
// JSON type "block.set".
struct BlockFrame {
  Request request = 0;
  model::ClientId client_id;
  model::UserId user;
  bool blocked = true;
};
// The person's watermarks here. Without `request` it is not answered; with it by ok (seq = head, ord, id 0)
// or an error.
struct MarkFrame {
  std::optional<Request> request;
  model::ConversationId conversation;
  std::optional<model::Cursor> read;  // the event that was read last
  model::Ord read_ord;                // its ord; needed with read
  std::optional<model::Seq> delivered;
  bool hidden = false;  // JSON "private": `read` is told to the person's own devices only
};
// The conversation that the session looks at; absent: none. Never answered.
struct FocusFrame {
  std::optional<model::ConversationId> conversation;
};
struct PullFrame {
  Request request = 0;
  model::ConversationId conversation;
  model::Seq after;
  std::optional<model::Cursor> check;
  std::optional<uint64_t> limit;
};
// What lies around a place, for showing (protocol.md §7): answered by a page.
enum class HistoryPlace : uint8_t { before, after, around };
struct HistoryFrame {
  Request request = 0;
  model::ConversationId conversation;
  HistoryPlace place = HistoryPlace::before;  // JSON: exactly one of the fields before, after, around
  model::Seq seq;                             // before: above it nothing; 2^53-1 is "from the newest on"
  std::optional<model::Cursor> have;          // as check of a pull
  std::optional<uint64_t> limit;
};
// JSON: [conversation, seq, id] or [conversation, seq, id, mark_count].
struct VectorEntry {
  model::ConversationId conversation;
  model::Cursor have;
  std::optional<uint64_t> mark_count;
};
// With `activity` (tier 2): what has changed since that cursor was handed out, and what the vector names,
// because the client still has to fetch something there; else (tier 3) what differs from the vector.
struct SyncFrame {
  Request request = 0;
  model::ConversationId from, to;  // inclusive
  std::vector<VectorEntry> vector;
  std::optional<model::Position> activity;
};
// A type that this version does not know: ignored without `request`, answered `unsupported` with it.
struct UnknownFrame {
  std::string type;
  std::optional<Request> request;
};
using ClientFrame = std::variant<Hello, Ping, Ack, Bye, MessageSend, ConversationCreate, ConversationUpdate,
                                 ConversationLeave, MemberAdd, MemberRemove, MemberRole, BlockFrame,
                                 MarkFrame, FocusFrame, PullFrame, HistoryFrame, SyncFrame, UnknownFrame>;

// Why a frame was not taken. Without `closes` it is answered under `request` (dropped if there is none).
struct FrameProblem {
  Code code = Code::bad_frame;
  std::string detail;
  std::optional<Request> request;
  bool closes = false;  // no JSON object, no string `type`, too deep: the connection ends with the code
};

// One text message holds one frame object or an array of them. Frames before a bad one are kept. The limits
// are Limits::json_depth_max and text_bytes_max. Never throws; the message needs no padding.
struct ClientFrames {
  std::vector<base::Result<ClientFrame, FrameProblem>> frames;
  // The largest `received` of any frame of the message: counted frames stored by the client (an ack).
  std::optional<uint64_t> received;
};
ClientFrames parse_client_frames(std::string_view message, size_t depth_max = 16,
                                 size_t text_bytes_max = 16 * 1024);

std::string encode(const Hello&);
std::string encode(const Ping&);
std::string encode(const Ack&);
std::string encode(const Bye&);
std::string encode(const MessageSend&);
std::string encode(const ConversationCreate&);
std::string encode(const ConversationUpdate&);
std::string encode(const ConversationLeave&);
std::string encode(const MemberAdd&);
std::string encode(const MemberRemove&);
std::string encode(const MemberRole&);
std::string encode(const BlockFrame&);
std::string encode(const MarkFrame&);
std::string encode(const FocusFrame&);
std::string encode(const PullFrame&);
std::string encode(const HistoryFrame&);
std::string encode(const SyncFrame&);

// --- server to client
struct Welcome {
  int version = protocol_version;
  std::string session, resume;
  // The session of the hello goes on: its counted frames above `received` follow first, `replayed` of them.
  bool resumed = false;
  uint64_t received = 0, replayed = 0;
  model::UserId user;
  model::DeviceId device;
  uint64_t heartbeat_ms = 30000;
  base::WallTime now{};  // log time
  std::string branch;
  std::string sync = "full";  // none, changes, full
  // limits
  uint64_t frame_bytes_max = 0, text_bytes_max = 0, page_events_max = 0, sends_in_flight_max = 0;
  uint64_t sync_rows_max = 0, members_max = 0, title_bytes_max = 0;
};
// Ephemeral: not counted.
struct Pong {
  base::WallTime now{};
};
// Ephemeral. Close this connection and open another one after so long: the server goes down.
struct Moved {
  uint64_t retry_ms = 0;
};
// Events and receipts of these conversations were left out, because this session did not take what it was
// sent: each is to be pulled, even if its head is held (marks may have moved).
struct Dirty {
  struct Row {
    model::ConversationId conversation;
    model::Seq head;  // as far as it is known; 0: not
  };
  std::vector<Row> conversations;  // JSON: [conversation, head]
  bool list = false;               // of others, too, that are not named: sync with the activity cursor
  // "": as before. What comes from now on is told under this branch, which the next hello has to say.
  std::string branch = {};
};
// The answer of an accepted command.
struct Ok {
  Request request = 0;
  model::ConversationId conversation;
  model::Seq seq;
  model::Ord ord;
  model::MessageId id;
  base::WallTime time{};
  bool duplicate = false;
};
struct ErrorFrame {
  std::optional<Request> request;
  Code code = Code::internal;
  std::string message;  // a sentence for people
  std::optional<uint64_t> retry_ms;
  std::optional<model::ClientId> missing;
};
struct EventFrame {
  model::Event event;
};
// Marks of a conversation's members have moved. Up to listed_marks_max members: `marks` of those who moved,
// with mark_count as of then. Above: one's own mark if it moved, and `counts` for one's own newest messages
// (only to sessions that look at the conversation).
struct Receipt {
  model::ConversationId conversation;
  std::vector<model::Mark> marks;
  uint64_t mark_count = 0;
  std::vector<model::ReadCount> counts;
  uint64_t members = 0;  // with counts: the others are members - 1
};
// Answer of a pull and of a history. Events and holes together cover every seq of from..upto, both included
// (from = after + 1 for a pull; from > upto: nothing).
struct PageFrame {
  Request request = 0;
  model::ConversationId conversation;
  std::vector<model::Event> events;
  std::vector<model::Hole> holes;
  model::Seq from, upto, head, asof;
  bool more = false;               // of a pull, and of history after/around: there are events above upto
  bool earlier = false;            // of a history: this person may read something below from
  std::vector<model::Mark> marks;  // of all members up to listed_marks_max; above: one's own
  uint64_t mark_count = 0;
  std::vector<model::ReadCount> counts;  // above listed_marks_max: of one's own newest messages
  uint64_t members = 0;
};
struct SyncedConversation {
  model::ConversationId conversation;
  model::ConversationKind kind = model::ConversationKind::direct;
  std::string title;
  model::Cursor head;  // seq and id of the newest event that one may read; never 0
  model::Ord ord;
  model::Role role = model::Role::member;
  bool left = false;               // no longer a member: what was readable still is
  uint64_t members = 0;            // how many there are now
  std::vector<model::Mark> marks;  // as in a page
  uint64_t mark_count = 0;
  model::Ord read_ord;  // of one's own read mark
  uint64_t unread = 0;
};
struct SyncAnswer {
  Request request = 0;
  std::vector<SyncedConversation> conversations;
  model::Position activity;
  bool more = false;
  std::optional<model::ConversationId> next;  // with more: `from` of the next sync
};
using ServerFrame = std::variant<Welcome, Pong, Moved, Dirty, Ok, ErrorFrame, EventFrame, Receipt, PageFrame,
                                 SyncAnswer, UnknownFrame>;

std::string encode(const Welcome&);
std::string encode(const Pong&);
std::string encode(const Moved&);
std::string encode(const Dirty&);
std::string encode(const Ok&);
std::string encode(const ErrorFrame&);
// The bytes of one event: the same for every socket, in live events and in pages.
std::string encode_event(const model::Event&);
std::string encode(const Receipt&);
// `events` are whole frames as encode_event wrote them.
std::string encode_page(const PageFrame& page_without_events, const std::vector<std::string>& events);
std::string encode(const SyncAnswer&);

struct ServerFrames {
  std::vector<base::Result<ServerFrame, FrameProblem>> frames;
  // How many of them are counted (protocol.md §11): all but welcome, kick and what is marked ephemeral.
  uint64_t counted = 0;
};
ServerFrames parse_server_frames(std::string_view message);

}  // namespace tidings::wire
