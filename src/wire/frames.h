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
  model::ConversationKind kind = model::ConversationKind::direct;
  std::vector<model::UserId> members;  // without or with the creator
};
struct PullFrame {
  Request request = 0;
  model::ConversationId conversation;
  model::Seq after;
  std::optional<model::Cursor> check;
  std::optional<uint64_t> limit;
};
struct VectorEntry {
  model::ConversationId conversation;
  model::Cursor have;
};
struct SyncFrame {
  Request request = 0;
  model::ConversationId from, to;  // inclusive
  std::vector<VectorEntry> vector;
};
// A type that this version does not know: ignored without `request`, answered `unsupported` with it.
struct UnknownFrame {
  std::string type;
  std::optional<Request> request;
};
using ClientFrame =
    std::variant<Hello, Ping, Ack, Bye, MessageSend, ConversationCreate, PullFrame, SyncFrame, UnknownFrame>;

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
};
ClientFrames parse_client_frames(std::string_view message, size_t depth_max = 16,
                                 size_t text_bytes_max = 16 * 1024);

std::string encode(const Hello&);
std::string encode(const Ping&);
std::string encode(const Ack&);
std::string encode(const Bye&);
std::string encode(const MessageSend&);
std::string encode(const ConversationCreate&);
std::string encode(const PullFrame&);
std::string encode(const SyncFrame&);

// --- server to client
struct Welcome {
  int version = protocol_version;
  std::string session, resume;
  bool resumed = false;
  uint64_t received = 0;
  model::UserId user;
  model::DeviceId device;
  uint64_t heartbeat_ms = 30000;
  base::WallTime now{};  // log time
  std::string branch;
  std::string sync = "full";  // none, changes, full
  uint64_t frame_bytes_max = 0, text_bytes_max = 0, page_events_max = 0, sends_in_flight_max = 0;  // limits
};
struct Pong {
  base::WallTime now{};
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
struct PageFrame {
  Request request = 0;
  model::ConversationId conversation;
  std::vector<model::Event> events;
  std::vector<model::Hole> holes;
  model::Seq upto, head, asof;
  bool more = false;
  std::vector<model::Mark> marks;
  uint64_t mark_count = 0;
};
struct SyncedConversation {
  model::ConversationId conversation;
  model::ConversationKind kind = model::ConversationKind::direct;
  std::string title;
  model::Cursor
      head;  // seq and id of the newest event; 0, 0 never happens: every conversation has its creation
  model::Ord ord;
  std::vector<model::Mark> marks;
  uint64_t mark_count = 0;
  uint64_t unread = 0;
};
struct SyncAnswer {
  Request request = 0;
  std::vector<SyncedConversation> conversations;
  model::Position activity;
  bool more = false;
  std::optional<model::ConversationId> next;  // with more: `from` of the next sync
};
using ServerFrame =
    std::variant<Welcome, Pong, Ok, ErrorFrame, EventFrame, PageFrame, SyncAnswer, UnknownFrame>;

std::string encode(const Welcome&);
std::string encode(const Pong&);
std::string encode(const Ok&);
std::string encode(const ErrorFrame&);
// The bytes of one event: the same for every socket, in live events and in pages.
std::string encode_event(const model::Event&);
// `events` are whole frames as encode_event wrote them.
std::string encode_page(const PageFrame& page_without_events, const std::vector<std::string>& events);
std::string encode(const SyncAnswer&);

struct ServerFrames {
  std::vector<base::Result<ServerFrame, FrameProblem>> frames;
};
ServerFrames parse_server_frames(std::string_view message);

}  // namespace tidings::wire
