#include "wire/frames_test.h"

namespace tidings::wire {
namespace {

TEST(ServerFrames, EventsSurviveTheWireAndLookAsTheProtocolSays) {
  for (const auto& event : all_events()) {
    EXPECT_EQ(server_one<EventFrame>(encode_event(event)).event, event) << encode_event(event);
  }
  const std::string head =
      R"("conversation":"0198f000-0000-8000-8000-00000000abcd",)"
      R"("seq":122,"ord":98,"id":"183746529384612864","time":1795300000123,"from":"42",)";
  const std::string own = R"("client_id":"0198f0aa-0000-7000-8000-000000000001",)";
  const auto looks = [&](decltype(model::Event::body) body, const std::string& name,
                         const std::string& tail) {
    auto event = event_with(std::move(body));
    const std::string begin = R"({"type":"event","event":")" + name + R"(",)" + head;
    EXPECT_EQ(encode_event(event), begin + own + tail);
    event.client_id = {};
    EXPECT_EQ(encode_event(event), begin + tail);
  };
  looks(model::MessageCreated{{model::MessageKind::text, "hel\"lo"}}, "message.created",
        R"("message":{"kind":"text","text":"hel\"lo"}})");
  looks(model::ConversationCreated{model::ConversationKind::direct, {{42}, {43}}}, "conversation.created",
        R"("kind":"direct","members":["42","43"],"title":"","history":"joining"})");
  looks(model::ConversationUpdated{"x", model::History::all}, "conversation.updated",
        R"("title":"x","history":"all"})");
  looks(model::ConversationUpdated{std::nullopt, model::History::all}, "conversation.updated",
        R"("history":"all"})");
  looks(model::MembersAdded{{{43}}}, "member.added", R"("members":["43"]})");
  looks(model::MemberRemoved{{43}}, "member.removed", R"("user":"43"})");
  looks(model::MemberLeft{{42}, model::UserId{43}}, "member.left", R"("user":"42","successor":"43"})");
  looks(model::MemberLeft{{42}, std::nullopt}, "member.left", R"("user":"42"})");
  looks(model::RoleChanged{{43}, model::Role::owner}, "member.role_changed",
        R"("user":"43","role":"owner"})");
  looks(model::ConversationListed{conversation, model::ConversationKind::group, true}, "conversation.listed",
        R"("about":"0198f000-0000-8000-8000-00000000abcd","kind":"group","listed":true})");
  looks(model::BlockSet{{43}, false}, "block.set", R"("user":"43","blocked":false})");
}

TEST(ServerFrames, ReceiptsSurviveTheWire) {
  const Receipt some{conversation, {{{42}, {2}, {3}}}, 7, {}, 0};
  EXPECT_EQ(encode(some), R"({"type":"receipt","conversation":"0198f000-0000-8000-8000-00000000abcd",)"
                          R"("marks":[{"user":"42","read":2,"delivered":3}],"mark_count":7})");
  auto back = server_one<Receipt>(encode(some));
  EXPECT_EQ(back.conversation, conversation);
  EXPECT_EQ(back.marks, some.marks);
  EXPECT_EQ(back.mark_count, 7u);
  EXPECT_TRUE(back.counts.empty());
  const Receipt counted{conversation, {}, 8, {{{7}, 1, 30}, {{9}, 0, 2}}, 40};
  EXPECT_NE(encode(counted).find(R"("counts":[[7,1,30],[9,0,2]],"members":40)"), std::string::npos);
  back = server_one<Receipt>(encode(counted));
  EXPECT_EQ(back.counts, counted.counts);
  EXPECT_EQ(back.members, 40u);
  EXPECT_FALSE(
      parse_server_frames(R"({"type":"receipt","conversation":"0198f000-0000-8000-8000-00000000abcd",)"
                          R"("marks":[],"mark_count":7,"counts":[[1,2]]})")
          .frames[0]
          .ok());
}

TEST(ServerFrames, AllButWelcomeKickAndEphemeralFramesAreCounted) {
  const auto counted = [](const std::string& text) { return parse_server_frames(text).counted; };
  EXPECT_EQ(counted(encode(Pong{})), 0u);
  EXPECT_EQ(counted(encode(Welcome{})), 0u);
  EXPECT_EQ(counted(R"({"type":"kick"})"), 0u);
  EXPECT_EQ(counted(R"({"type":"typing","ephemeral":true})"), 0u);
  EXPECT_EQ(counted(R"({"type":"brand_new"})"), 1u);
  EXPECT_EQ(counted(R"({"type":"brand_new","ephemeral":"true"})"), 1u);
  EXPECT_EQ(counted(encode(Ok{1})), 1u);
  EXPECT_EQ(counted(encode(ErrorFrame{})), 1u);
  EXPECT_EQ(counted(encode(Receipt{})), 1u);
  EXPECT_EQ(counted(encode(SyncAnswer{})), 1u);
  // The events of a page are part of one frame.
  EXPECT_EQ(counted(encode_page(PageFrame{}, {encode_event(all_events()[0])})), 1u);
  EXPECT_EQ(counted("[" + encode(Pong{}) + "," + encode(Ok{1}) + "," + encode_event(all_events()[0]) +
                    R"(,{"type":"brand_new"},{"type":"receipt"}])"),
            4u);
}

TEST(ServerFrames, AnswersSurviveTheWire) {
  const auto ok = server_one<Ok>(encode(Ok{5, conversation, {121}, {97}, {7}, base::wall_from_ms(9), true}));
  EXPECT_EQ(ok.request, 5u);
  EXPECT_EQ(ok.seq.value, 121u);
  EXPECT_EQ(ok.ord.value, 97u);
  EXPECT_TRUE(ok.duplicate);
  EXPECT_EQ(encode(Ok{}).find("duplicate"), std::string::npos);
  const auto error = server_one<ErrorFrame>(encode(ErrorFrame{7, Code::order, "", 800, client_id}));
  EXPECT_EQ(error.code, Code::order);
  EXPECT_EQ(error.message, row(Code::order).sentence);
  EXPECT_EQ(error.retry_ms, 800u);
  EXPECT_EQ(error.missing, client_id);
  EXPECT_EQ(server_one<Pong>(encode(Pong{base::wall_from_ms(5)})).now, base::wall_from_ms(5));
  EXPECT_NE(encode(Pong{}).find(R"("ephemeral":true)"), std::string::npos);
}

TEST(ServerFrames, WelcomeSurvivesTheWire) {
  Welcome welcome;
  welcome.session = "s";
  welcome.user = {1};
  welcome.device = {~0ull >> 1};
  welcome.now = base::wall_from_ms(77);
  welcome.branch = "0f";
  welcome.text_bytes_max = 16384;
  welcome.sync_rows_max = 500;
  welcome.members_max = 1024;
  welcome.title_bytes_max = 200;
  const auto back = server_one<Welcome>(encode(welcome));
  EXPECT_EQ(back.device, welcome.device);
  EXPECT_EQ(back.now, welcome.now);
  EXPECT_EQ(back.sync, "full");
  EXPECT_EQ(back.branch, "0f");
  EXPECT_EQ(back.text_bytes_max, 16384u);
  EXPECT_EQ(back.sync_rows_max, 500u);
  EXPECT_EQ(back.members_max, 1024u);
  EXPECT_EQ(back.title_bytes_max, 200u);
  EXPECT_FALSE(back.resumed);
}

TEST(ServerFrames, PagesCarryTheVeryBytesOfEvents) {
  const model::Event event{
      conversation,          {2},  {1},       {7},
      base::wall_from_ms(5), {42}, client_id, model::MessageCreated{{model::MessageKind::text, "hello"}}};
  const PageFrame page = big_page();
  const auto bytes = encode_page(page, {encode_event(event)});
  EXPECT_NE(bytes.find(encode_event(event)), std::string::npos);
  const auto back = server_one<PageFrame>(bytes);
  ASSERT_EQ(back.events.size(), 1u);
  EXPECT_EQ(back.events[0], event);
  ASSERT_EQ(back.holes.size(), 1u);
  EXPECT_EQ(back.holes[0].to.value, 4u);
  EXPECT_EQ(back.holes[0].why, model::HoleReason::retention);
  EXPECT_EQ(back.from.value, 2u);
  EXPECT_EQ(back.upto.value, 4u);
  EXPECT_EQ(back.head.value, 9u);
  EXPECT_TRUE(back.more);
  EXPECT_TRUE(back.earlier);
  EXPECT_EQ(back.counts, page.counts);
  EXPECT_EQ(back.members, 40u);
  EXPECT_EQ(encode_page(PageFrame{}, {}).find("counts"), std::string::npos);
  EXPECT_EQ(encode_page(PageFrame{}, {}).find("members"), std::string::npos);
  ASSERT_EQ(back.marks.size(), 1u);
  EXPECT_EQ(back.marks[0].delivered.value, 3u);
  EXPECT_EQ(back.mark_count, 11u);
}

TEST(ServerFrames, DirtySurvivesTheWire) {
  const auto plain = server_one<Dirty>(encode(Dirty{{{conversation, {9}}}, true}));
  EXPECT_TRUE(plain.list);
  EXPECT_EQ(plain.branch, "");
  ASSERT_EQ(plain.conversations.size(), 1u);
  EXPECT_EQ(plain.conversations[0].head.value, 9u);
  EXPECT_EQ(server_one<Dirty>(encode(Dirty{.branch = "00ab"})).branch, "00ab");
}

TEST(ServerFrames, SyncSurvivesTheWire) {
  SyncAnswer sync;
  sync.request = 3;
  sync.activity = {~0ull};
  sync.more = true;
  sync.next = conversation;
  sync.conversations = {{.conversation = conversation,
                         .kind = model::ConversationKind::group,
                         .title = "Gr\xc3\xbc\xc3\x9f \"e\"",
                         .head = {{9}, {99}},
                         .ord = {8},
                         .role = model::Role::owner,
                         .left = true,
                         .members = 33,
                         .marks = {{{42}, {2}, {3}}},
                         .mark_count = 2,
                         .read_ord = {7},
                         .unread = 1}};
  const auto back = server_one<SyncAnswer>(encode(sync));
  EXPECT_EQ(back.activity, sync.activity);
  EXPECT_EQ(back.next, sync.next);
  ASSERT_EQ(back.conversations.size(), 1u);
  EXPECT_EQ(back.conversations[0].head, (model::Cursor{{9}, {99}}));
  const auto& row = back.conversations[0];
  EXPECT_EQ(row.unread, 1u);
  EXPECT_EQ(row.kind, model::ConversationKind::group);
  EXPECT_EQ(row.title, sync.conversations[0].title);
  EXPECT_EQ(row.role, model::Role::owner);
  EXPECT_TRUE(row.left);
  EXPECT_EQ(row.members, 33u);
  EXPECT_EQ(row.marks, sync.conversations[0].marks);
  EXPECT_EQ(row.mark_count, 2u);
  EXPECT_EQ(row.read_ord.value, 7u);
}

TEST(ServerFrames, WhatANewerServerSaysIsIgnored) {
  EXPECT_EQ(server_one<UnknownFrame>(R"({"type":"typing","ephemeral":true})").type, "typing");
  EXPECT_EQ(server_one<ErrorFrame>(R"({"type":"error","code":"brand_new","request":4})").code,
            Code::internal);
}

}  // namespace
}  // namespace tidings::wire
