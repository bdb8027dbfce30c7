// The JSON frames of clients and of servers (wire/frames.h).
#include "test/fuzz/target.h"
#include "wire/frames_test.h"

namespace tidings::fuzz {
namespace {

using namespace wire;

constexpr size_t depth_max = 16;

std::string text_of(const ClientFrame& frame) {
  return std::visit(
      [](const auto& one) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(one)>, UnknownFrame>) {
          return {};
        } else {
          return encode(one);
        }
      },
      frame);
}
std::string text_of(const ServerFrame& frame) {
  if (std::holds_alternative<UnknownFrame>(frame)) return {};
  if (const auto* event = std::get_if<EventFrame>(&frame)) return encode_event(event->event);
  if (const auto* page = std::get_if<PageFrame>(&frame)) {
    std::vector<std::string> events;
    for (const auto& one : page->events) events.push_back(encode_event(one));
    return encode_page(*page, events);
  }
  return std::visit(
      [](const auto& one) -> std::string {
        if constexpr (requires { encode(one); }) {
          return encode(one);
        } else {
          return {};
        }
      },
      frame);
}

// What was read, as one text: each frame as it would be written, each problem as it is told.
template <class Frames>
std::string told(const Frames& frames) {
  std::string out;
  for (const auto& one : frames.frames) {
    if (one.ok()) {
      out += text_of(*one) + "\n";
    } else {
      out += one.error().detail + (one.error().closes ? "!\n" : "?\n");
    }
  }
  return out;
}

template <class Frames, class Parse>
void check(const Frames& frames, Parse parse) {
  for (size_t i = 0; i < frames.frames.size(); ++i) {
    const auto& one = frames.frames[i];
    if (!one.ok()) {
      must(!one.error().closes || i + 1 == frames.frames.size(), "nothing is read behind what closes");
      continue;
    }
    const std::string text = text_of(*one);
    if (text.empty()) continue;
    const auto again = parse(text);
    must(again.frames.size() == 1 && again.frames[0].ok(), "what we write of a good frame is a good frame");
    must(text_of(*again.frames[0]) == text, "a frame that is written and read again is the same");
  }
}

}  // namespace

void feed(std::string_view bytes) {
  const auto client = parse_client_frames(bytes, depth_max);
  const auto server = parse_server_frames(bytes);
  check(client, [](std::string_view text) { return parse_client_frames(text, depth_max); });
  check(server, [](std::string_view text) { return parse_server_frames(text); });
  must(told(parse_client_frames(bytes, depth_max)) == told(client), "reading leaves nothing behind");

  const size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first != bytes.npos && bytes[first] == '{') {
    const auto listed = parse_client_frames("[" + std::string(bytes) + "]", depth_max + 1);
    const bool closes = !client.frames.empty() && !client.frames[0].ok() && client.frames[0].error().closes;
    if (!closes) must(told(listed) == told(client), "one frame is the same alone and in an array");
  }
}

std::vector<std::string> seeds() {
  const model::UserId user{42};
  std::vector<std::string> out{
      encode(Hello{
          1, 1, "token", "app", {"x"}, "branch", Hello::Newest{conversation, {{3}, {33}}}, "1-2", "r", 7}),
      encode(Ping{}),
      encode(Ack{7}),
      encode(Bye{}),
      encode(MessageSend{5,
                         conversation,
                         {},
                         client_id,
                         other_client_id,
                         base::wall_from_ms(1795300000123),
                         {model::MessageKind::text, "h\"\\\n\xc3\xbc"}}),
      encode(MessageSend{5, {}, user, client_id, {}, {}, {model::MessageKind::text, ""}}),
      encode(ConversationCreate{
          7, client_id, model::ConversationKind::group, {{1}, {2}}, "x", model::History::all}),
      encode(ConversationCreate{7, client_id, model::ConversationKind::direct, {{1}}}),
      encode(ConversationUpdate{8, conversation, client_id, "x", model::History::all}),
      encode(ConversationLeave{8, conversation, client_id}),
      encode(MemberAdd{9, conversation, client_id, {{1}, {2}}}),
      encode(MemberRemove{9, conversation, client_id, {1}}),
      encode(MemberRole{9, conversation, client_id, {1}, model::Role::owner}),
      encode(BlockFrame{9, client_id, {1}, true}),
      encode(MarkFrame{1, conversation, model::Cursor{{1}, {1}}, {1}, model::Seq{1}, true}),
      encode(FocusFrame{conversation}),
      encode(FocusFrame{}),
      encode(PullFrame{4, conversation, {3}, model::Cursor{{3}, {33}}, 200}),
      encode(HistoryFrame{1, conversation, HistoryPlace::around, {1}, model::Cursor{{1}, {1}}, 1}),
      encode(SyncFrame{9, {}, conversation, {{conversation, {{3}, {33}}, 4}}, model::Position{5}}),
      "[" + encode(Ping{}) + "," + encode(Ack{3}) +
          R"(,{"type":"later","request":4,"x":[1,-2.5e3,null,true]}])",
      R"({"type":"message.send","request":1,"message":{"kind":"text","text":"\ud83d\ude00 \ud83d"}})",
      encode(Welcome{}),
      encode(Pong{}),
      encode(Moved{1500}),
      encode(Dirty{{{conversation, {9}}}, true}),
      encode(Ok{5, conversation, {1}, {1}, {77}, base::wall_from_ms(5), true}),
      encode(ErrorFrame{5, Code::rate_limited, "slow", 1000, client_id}),
      encode(Receipt{conversation, {{{1}, {1}, {1}}}, 3, {{{1}, 1, 1}}, 40}),
      encode_page(big_page(), {encode_event(all_events()[0])}),
      R"({"type":"kick","ephemeral":true})",
  };
  SyncAnswer sync;
  sync.request = 3;
  sync.conversations.resize(1);
  sync.conversations[0].head = {{1}, {5}};
  sync.conversations[0].marks = {{{1}, {1}, {1}}};
  sync.next = conversation;
  out.push_back(encode(sync));
  for (const auto& event : all_events()) out.push_back(encode_event(event));
  return out;
}

}  // namespace tidings::fuzz
