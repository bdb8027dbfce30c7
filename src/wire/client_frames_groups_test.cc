#include "wire/frames_test.h"

namespace tidings::wire {
namespace {

TEST(ClientFrames, CommandsOfGroupsSurviveTheWire) {
  const auto group = client_one<ConversationCreate>(encode(ConversationCreate{
      7, client_id, model::ConversationKind::group, {}, "Gr\"\xc3\xbc\xc3\x9f", model::History::all}));
  EXPECT_EQ(group.request, 7u);
  EXPECT_EQ(group.client_id, client_id);
  EXPECT_EQ(group.kind, model::ConversationKind::group);
  EXPECT_TRUE(group.members.empty());
  EXPECT_EQ(group.title, "Gr\"\xc3\xbc\xc3\x9f");
  EXPECT_EQ(group.history, model::History::all);
  const auto plain = client_one<ConversationCreate>(
      R"({"type":"conversation.create","request":7,"client_id":"0198f0aa-0000-7000-8000-000000000001",)"
      R"("kind":"group","members":["1"]})");
  EXPECT_EQ(plain.title, "");
  EXPECT_EQ(plain.history, model::History::joining);

  const auto update = client_one<ConversationUpdate>(
      encode(ConversationUpdate{8, conversation, client_id, "", model::History::joining}));
  EXPECT_EQ(update.request, 8u);
  EXPECT_EQ(update.conversation, conversation);
  EXPECT_EQ(update.client_id, client_id);
  EXPECT_EQ(update.title, "");
  EXPECT_EQ(update.history, model::History::joining);
  const auto titled = client_one<ConversationUpdate>(
      encode(ConversationUpdate{8, conversation, client_id, "new", std::nullopt}));
  EXPECT_EQ(titled.title, "new");
  EXPECT_FALSE(titled.history);
  EXPECT_FALSE(client_one<ConversationUpdate>(
                   encode(ConversationUpdate{8, conversation, client_id, std::nullopt, model::History::all}))
                   .title);

  const auto leave = client_one<ConversationLeave>(encode(ConversationLeave{9, conversation, client_id}));
  EXPECT_EQ(leave.request, 9u);
  EXPECT_EQ(leave.conversation, conversation);
  EXPECT_EQ(leave.client_id, client_id);
  const auto add =
      client_one<MemberAdd>(encode(MemberAdd{9, conversation, client_id, {{1}, {~uint64_t{0} >> 1}}}));
  EXPECT_EQ(add.conversation, conversation);
  EXPECT_EQ(add.users, (std::vector<model::UserId>{{1}, {~uint64_t{0} >> 1}}));
  const auto remove = client_one<MemberRemove>(encode(MemberRemove{9, conversation, client_id, {5}}));
  EXPECT_EQ(remove.conversation, conversation);
  EXPECT_EQ(remove.user.value, 5u);
  for (const auto role : {model::Role::member, model::Role::admin, model::Role::owner}) {
    const auto change = client_one<MemberRole>(encode(MemberRole{9, conversation, client_id, {5}, role}));
    EXPECT_EQ(change.role, role);
    EXPECT_EQ(change.user.value, 5u);
  }
  for (const bool blocked : {true, false}) {
    const auto block = client_one<BlockFrame>(encode(BlockFrame{9, client_id, {5}, blocked}));
    EXPECT_EQ(block.request, 9u);
    EXPECT_EQ(block.client_id, client_id);
    EXPECT_EQ(block.user.value, 5u);
    EXPECT_EQ(block.blocked, blocked);
  }
}

TEST(ClientFrames, MarksFocusAndHistorySurviveTheWire) {
  const auto mark = client_one<MarkFrame>(
      encode(MarkFrame{4, conversation, model::Cursor{{122}, {77}}, {98}, model::Seq{123}, true}));
  EXPECT_EQ(mark.request, 4u);
  EXPECT_EQ(mark.conversation, conversation);
  EXPECT_EQ(mark.read, (model::Cursor{{122}, {77}}));
  EXPECT_EQ(mark.read_ord.value, 98u);
  EXPECT_EQ(mark.delivered, model::Seq{123});
  EXPECT_TRUE(mark.hidden);
  const auto delivered =
      client_one<MarkFrame>(encode(MarkFrame{{}, conversation, std::nullopt, {}, model::Seq{5}, false}));
  EXPECT_FALSE(delivered.request || delivered.read || delivered.hidden);
  EXPECT_EQ(delivered.delivered, model::Seq{5});

  EXPECT_EQ(client_one<FocusFrame>(encode(FocusFrame{conversation})).conversation, conversation);
  EXPECT_FALSE(client_one<FocusFrame>(encode(FocusFrame{})).conversation);
  EXPECT_FALSE(client_one<FocusFrame>(R"({"type":"focus"})").conversation);

  for (const auto place : {HistoryPlace::before, HistoryPlace::after, HistoryPlace::around}) {
    const auto history = client_one<HistoryFrame>(
        encode(HistoryFrame{6, conversation, place, {(1ull << 53) - 1}, model::Cursor{{9}, {99}}, 50}));
    EXPECT_EQ(history.request, 6u);
    EXPECT_EQ(history.conversation, conversation);
    EXPECT_EQ(history.place, place);
    EXPECT_EQ(history.seq.value, (1ull << 53) - 1);
    EXPECT_EQ(history.have, (model::Cursor{{9}, {99}}));
    EXPECT_EQ(history.limit, 50u);
  }
  const auto bare =
      client_one<HistoryFrame>(encode(HistoryFrame{6, conversation, HistoryPlace::after, {0}, {}, {}}));
  EXPECT_EQ(bare.seq.value, 0u);
  EXPECT_FALSE(bare.have || bare.limit);
}

TEST(ClientFrames, ASyncMayNameActivityAndMarkCounts) {
  SyncFrame sync{9, {}, conversation, {{conversation, {{3}, {33}}, 0}, {conversation, {{4}, {44}}, {}}}, {}};
  sync.activity = model::Position{~uint64_t{0}};
  const auto back = client_one<SyncFrame>(encode(sync));
  ASSERT_EQ(back.vector.size(), 2u);
  EXPECT_EQ(back.vector[0].mark_count, 0u);
  EXPECT_FALSE(back.vector[1].mark_count);
  EXPECT_EQ(back.activity, sync.activity);
  EXPECT_EQ(encode(SyncFrame{}).find("activity"), std::string::npos);
}

TEST(ClientFrames, TheLargestReceivedOfAMessageIsTold) {
  EXPECT_FALSE(parse_client_frames(R"({"type":"ping"})").received);
  EXPECT_EQ(parse_client_frames(R"({"type":"ping","received":0})").received, 0u);
  EXPECT_EQ(parse_client_frames(R"([{"type":"ack","received":12},{"type":"what","received":17},)"
                                R"({"type":"focus","received":3}])")
                .received,
            17u);
  // It counts although the rest of its frame is refused.
  EXPECT_EQ(parse_client_frames(R"({"type":"pull","request":1,"received":4})").received, 4u);
  // A hello tells about the session before.
  EXPECT_FALSE(parse_client_frames(R"({"type":"hello","token":"t","received":1041})").received);
  EXPECT_FALSE(parse_client_frames(R"({"type":"ping","received":null})").received);
  const auto wrong = parse_client_frames(R"([{"type":"sync","request":5,"received":"9"},{"type":"ack"}])");
  EXPECT_FALSE(wrong.received);
  for (const auto& frame : wrong.frames) EXPECT_EQ(frame.error().code, Code::bad_request);
}

TEST(ClientFrames, WrongFieldsOfGroupsMarksAndHistoryAreAnsweredUnderTheRequest) {
  const auto frame = [](std::string_view type, std::string_view rest) {
    return R"({"type":")" + std::string(type) +
           R"(","request":5,"conversation":"0198f000-0000-8000-8000-00000000abcd",)" +
           R"("client_id":"0198f0aa-0000-7000-8000-000000000001")" + std::string(rest) + "}";
  };
  client_one<ConversationLeave>(frame("conversation.leave", ""));
  client_one<MemberAdd>(frame("member.add", R"(,"users":[])"));
  for (const auto& [type, rest] : std::vector<std::pair<const char*, const char*>>{
           {"conversation.create", R"(,"kind":"group","members":["1"],"title":7)"},
           {"conversation.create", R"(,"kind":"group","members":["1"],"history":"some")"},
           {"conversation.create", R"(,"kind":"group","members":"1")"},
           {"conversation.create", R"(,"kind":"group")"},
           {"conversation.create", R"(,"members":["1"])"},
           {"conversation.update", ""},
           {"conversation.update", R"(,"title":null,"history":null)"},
           {"conversation.update", R"(,"title":["x"])"},
           {"conversation.update", R"(,"title":"x","history":1)"},
           {"conversation.update", R"(,"title":"\ud800")"},
           {"conversation.leave", R"(,"client_id":"0198f0aa-0000-7000-8000-000000000001","received":-1)"},
           {"member.add", ""},
           {"member.add", R"(,"users":{})"},
           {"member.add", R"(,"users":["1",2])"},
           {"member.add", R"(,"users":["01"])"},
           {"member.remove", ""},
           {"member.remove", R"(,"user":5)"},
           {"member.role", R"(,"user":"5")"},
           {"member.role", R"(,"role":"admin")"},
           {"member.role", R"(,"user":"5","role":"king")"},
           {"block.set", R"(,"user":"5")"},
           {"block.set", R"(,"blocked":true)"},
           {"block.set", R"(,"user":"5","blocked":1)"},
           {"mark", ""},
           {"mark", R"(,"read":{"seq":1,"id":"7"})"},
           {"mark", R"(,"read":{"seq":1},"read_ord":1)"},
           {"mark", R"(,"read":1,"read_ord":1)"},
           {"mark", R"(,"delivered":"1")"},
           {"mark", R"(,"delivered":1,"private":"yes")"},
           {"focus", R"(,"received":1.5)"},
           {"history", ""},
           {"history", R"(,"before":1,"after":1)"},
           {"history", R"(,"before":9007199254740992)"},
           {"history", R"(,"around":"1")"},
           {"history", R"(,"after":1,"limit":0)"},
           {"history", R"(,"after":1,"have":{"seq":1,"id":2})"},
           {"sync", R"(,"from":"0198f000-0000-8000-8000-00000000abcd","vector":[])"},
       }) {
    const auto problem = problem_of(frame(type, rest));
    EXPECT_FALSE(problem.closes) << type << rest;
    EXPECT_EQ(problem.code, Code::bad_request) << type << rest;
    EXPECT_EQ(problem.request, 5u) << type << rest;
  }
  const auto sync = [](std::string_view rest) {
    return R"({"type":"sync","request":5,"from":"0198f000-0000-8000-8000-00000000abcd",)"
           R"("to":"0198f000-0000-8000-8000-00000000abcd")" +
           std::string(rest) + "}";
  };
  client_one<SyncFrame>(sync(R"(,"vector":[],"activity":"18446744073709551615")"));
  for (const char* rest :
       {R"(,"activity":"1")", R"(,"vector":[],"activity":1)", R"(,"vector":[],"activity":"-1")",
        R"(,"vector":[["0198f000-0000-8000-8000-00000000abcd",1]])",
        R"(,"vector":[["0198f000-0000-8000-8000-00000000abcd",1,"1","1"]])",
        R"(,"vector":[["0198f000-0000-8000-8000-00000000abcd",1,"1",null]])",
        R"(,"vector":[["0198f000-0000-8000-8000-00000000abcd",1,"1",1,1]])", R"(,"vector":[7])"}) {
    EXPECT_EQ(problem_of(sync(rest)).code, Code::bad_request) << rest;
  }
  // The nil UUID stands for events that no command made.
  EXPECT_EQ(problem_of(R"({"type":"block.set","request":5,"user":"5","blocked":true,)"
                       R"("client_id":"00000000-0000-0000-0000-000000000000"})")
                .code,
            Code::bad_request);
  // Nobody can be told about a wrong mark without a request.
  EXPECT_FALSE(problem_of(R"({"type":"mark"})").request);
}

}  // namespace
}  // namespace tidings::wire
