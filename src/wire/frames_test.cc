#include "wire/frames.h"

#include <gtest/gtest.h>

namespace tidings::wire {
namespace {

const model::ConversationId conversation{*model::parse_uuid("0198f000-0000-8000-8000-00000000abcd")};
const model::ClientId client_id{*model::parse_uuid("0198f0aa-0000-7000-8000-000000000001")};
const model::ClientId other_client_id{*model::parse_uuid("0198f0aa-0000-7000-8000-000000000002")};

const std::string send_head =
    R"({"type":"message.send","request":5,"conversation":"0198f000-0000-8000-8000-00000000abcd",)"
    R"("client_id":"0198f0aa-0000-7000-8000-000000000001",)";

template <class T>
T client_one(std::string_view text) {
  auto parsed = parse_client_frames(text);
  EXPECT_EQ(parsed.frames.size(), 1u) << text;
  if (parsed.frames.size() != 1 || !parsed.frames[0].ok() || !std::holds_alternative<T>(*parsed.frames[0])) {
    ADD_FAILURE() << text << (parsed.frames[0].ok() ? "" : parsed.frames[0].error().detail);
    return T{};
  }
  return std::get<T>(*parsed.frames[0]);
}

template <class T>
T server_one(std::string_view text) {
  auto parsed = parse_server_frames(text);
  EXPECT_EQ(parsed.frames.size(), 1u) << text;
  if (parsed.frames.size() != 1 || !parsed.frames[0].ok() || !std::holds_alternative<T>(*parsed.frames[0])) {
    ADD_FAILURE() << text << (parsed.frames[0].ok() ? "" : parsed.frames[0].error().detail);
    return T{};
  }
  return std::get<T>(*parsed.frames[0]);
}

FrameProblem problem_of(std::string_view text) {
  auto parsed = parse_client_frames(text);
  if (parsed.frames.empty() || parsed.frames.back().ok()) {
    ADD_FAILURE() << "taken: " << text.substr(0, 200);
    return {};
  }
  return parsed.frames.back().error();
}

std::string nested(size_t depth) {
  return R"({"type":"ping","x":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

TEST(ClientFrames, HelloSurvivesTheWire) {
  Hello hello;
  hello.version_min = 1;
  hello.version_max = 3;
  hello.token = "tok\"en\\";
  hello.app = "chat/0.1";
  hello.capabilities = {"a", "b"};
  hello.branch = "00ff";
  hello.newest = Hello::Newest{conversation, {{120}, {183746529384612864}}};
  const auto back = client_one<Hello>(encode(hello));
  EXPECT_EQ(back.version_max, 3);
  EXPECT_EQ(back.token, hello.token);
  EXPECT_EQ(back.capabilities, hello.capabilities);
  EXPECT_EQ(back.branch, hello.branch);
  ASSERT_TRUE(back.newest);
  EXPECT_EQ(back.newest->conversation, conversation);
  EXPECT_EQ(back.newest->event, hello.newest->event);
}

TEST(ClientFrames, MessageSendSurvivesTheWire) {
  MessageSend send;
  send.request = (1ull << 53) - 1;
  send.to = model::UserId{~0ull >> 1};
  send.client_id = client_id;
  send.previous = other_client_id;
  send.until = base::wall_from_ms(1795300000123);
  send.message.text = std::string("quote \" slash \\ nl \n nul ") + std::string(1, (char)0) +
                      " bell \x07 ünï 😀 \xE2\x80\xA8";
  const auto back = client_one<MessageSend>(encode(send));
  EXPECT_EQ(back.request, send.request);
  EXPECT_EQ(back.to, send.to);
  EXPECT_FALSE(back.conversation);
  EXPECT_EQ(back.client_id, client_id);
  EXPECT_EQ(back.previous, other_client_id);
  EXPECT_EQ(back.until, send.until);
  EXPECT_EQ(back.message, send.message);
}

TEST(ClientFrames, RequestsSurviveTheWire) {
  const auto create = client_one<ConversationCreate>(
      encode(ConversationCreate{7, client_id, model::ConversationKind::direct, {{1}, {2}}}));
  EXPECT_EQ(create.members, (std::vector<model::UserId>{{1}, {2}}));
  const auto pull =
      client_one<PullFrame>(encode(PullFrame{8, conversation, {5}, model::Cursor{{4}, {44}}, 10}));
  EXPECT_EQ(pull.after.value, 5u);
  EXPECT_EQ(pull.check->id.value, 44u);
  EXPECT_EQ(pull.limit, 10u);
  const auto fresh =
      client_one<PullFrame>(encode(PullFrame{8, conversation, {0}, std::nullopt, std::nullopt}));
  EXPECT_FALSE(fresh.check || fresh.limit);
  const auto sync =
      client_one<SyncFrame>(encode(SyncFrame{9, {}, conversation, {{conversation, {{3}, {33}}}}}));
  ASSERT_EQ(sync.vector.size(), 1u);
  EXPECT_EQ(sync.vector[0].have, (model::Cursor{{3}, {33}}));
  EXPECT_EQ(client_one<Ack>(encode(Ack{12})).received, 12u);
  client_one<Ping>(encode(Ping{}));
  client_one<Bye>(encode(Bye{}));
}

TEST(ClientFrames, TheExampleOfTheProtocolIsTaken) {
  const auto send = client_one<MessageSend>(
      send_head +
      R"("previous":null,"received":17,"message":{"kind":"text","text":"hi","reply_to":"1837"}})");
  EXPECT_EQ(send.request, 5u);
  EXPECT_EQ(send.message.text, "hi");
  EXPECT_FALSE(send.previous);
}

TEST(ClientFrames, AnArrayHoldsSeveralAndABadOneEndsItAfterTheGoodOnes) {
  const auto parsed =
      parse_client_frames(R"([{"type":"ping"},{"type":"what","request":3},7,{"type":"bye"}])");
  ASSERT_EQ(parsed.frames.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<Ping>(*parsed.frames[0]));
  EXPECT_EQ(std::get<UnknownFrame>(*parsed.frames[1]).request, 3u);
  ASSERT_FALSE(parsed.frames[2].ok());
  EXPECT_TRUE(parsed.frames[2].error().closes);
  EXPECT_TRUE(parse_client_frames("[]").frames.empty());
}

TEST(ClientFrames, WhatIsNoFrameAtAllCloses) {
  for (const std::string& text :
       {"", " ", "7", "\"ping\"", "null", "{", "{}", "[[]]", R"({"type":7})", R"({"type":null})",
        R"({"type":"ping"} x)", R"({"type":"ping",})", "{\"type\":\"pi\nng\"}",
        "{\"type\":\"ping\",\"x\":\"\xff\"}", R"({"type":"ping","x":"\q"})"}) {
    const auto problem = problem_of(text);
    EXPECT_TRUE(problem.closes) << text;
    EXPECT_EQ(problem.code, Code::bad_frame) << text;
  }
}

TEST(ClientFrames, DepthSixteenIsTakenAndSeventeenCloses) {
  client_one<Ping>(nested(16));
  EXPECT_TRUE(problem_of(nested(17)).closes);
  EXPECT_TRUE(problem_of("[" + nested(16) + "]").closes);
  EXPECT_TRUE(problem_of(nested(20000)).closes);
  client_one<Ping>(nested(16));
}

TEST(ClientFrames, WrongTypesInAKnownFrameAreAnsweredUnderTheRequest) {
  const std::string good_tail = R"("message":{"kind":"text","text":"hi"}})";
  for (
      const std::string& text : {
          send_head + R"("message":"hi"})",
          send_head + R"("message":{"kind":"text","text":7}})",
          send_head + R"("message":{"text":"hi"}})",
          send_head + R"("previous":17,)" + good_tail,
          send_head + R"("previous":"xyz",)" + good_tail,
          send_head + R"("until":-1,)" + good_tail,
          send_head + R"("until":1.5,)" + good_tail,
          send_head + R"("to":"1",)" + good_tail,
          send_head + R"("to":5,)" + good_tail,
          std::string(
              R"({"type":"message.send","request":5,"client_id":"0198f0aa-0000-7000-8000-000000000001",)") +
              good_tail,
          std::string(R"({"type":"message.send","request":5,"to":"01","client_id":"x",)") + good_tail,
          std::string(R"({"type":"pull","request":5,"conversation":"no uuid","after":0})"),
          std::string(R"({"type":"pull","request":5,"conversation":"0198f000-0000-8000-8000-00000000abcd"})"),
          std::string(R"({"type":"pull","request":5,"conversation":"0198f000-0000-8000-8000-00000000abcd",)"
                      R"("after":9007199254740992})"),
          std::string(R"({"type":"sync","request":5,"from":"","to":"","vector":[]})"),
          std::string(
              R"({"type":"conversation.create","request":5,"client_id":"0198f0aa-0000-7000-8000-000000000001",)"
              R"("kind":"direct","members":[1]})"),
      }) {
    const auto problem = problem_of(text);
    EXPECT_FALSE(problem.closes) << text;
    EXPECT_EQ(problem.code, Code::bad_request) << text;
    EXPECT_EQ(problem.request, 5u) << text;
    EXPECT_FALSE(problem.detail.empty());
  }
  EXPECT_FALSE(problem_of(R"({"type":"pull","request":"5"})").request);
  EXPECT_FALSE(problem_of(R"({"type":"pull","request":0})").request);
}

TEST(ClientFrames, UnknownKindsAreUnsupportedAndLongTextsTooLarge) {
  EXPECT_EQ(problem_of(send_head + R"("message":{"kind":"poll"}})").code, Code::unsupported);
  const auto sized = [](size_t bytes) {
    return send_head + R"("message":{"kind":"text","text":")" + std::string(bytes, 'x') + "\"}}";
  };
  client_one<MessageSend>(sized(16 * 1024));
  EXPECT_EQ(problem_of(sized(16 * 1024 + 1)).code, Code::too_large);
  EXPECT_EQ(problem_of(sized(16 * 1024 + 1)).request, 5u);
}

TEST(ClientFrames, ALoneSurrogateSpoilsOnlyItsFrame) {
  const auto with_text = [](std::string_view text) {
    return send_head + R"("message":{"kind":"text","text":")" + std::string(text) + "\"}}";
  };
  for (const char* text : {R"(a\ud800)", R"(\uDC00b)", R"(\ud83d\ud83d)", R"(\\\ud800)", R"(\ud83d\u0041)"}) {
    const auto problem = problem_of(with_text(text));
    EXPECT_EQ(problem.code, Code::bad_request) << text;
    EXPECT_EQ(problem.request, 5u) << text;
    EXPECT_FALSE(problem.closes);
  }
  EXPECT_EQ(client_one<MessageSend>(with_text(R"(\ud83d\ude00)")).message.text, "😀");
  EXPECT_EQ(client_one<MessageSend>(with_text(R"(\\ud800)")).message.text, "\\ud800");
  const auto parsed = parse_client_frames("[" + with_text("good, one") + "," + with_text(R"([,\ud800)") +
                                          "," + with_text("good") + "]");
  ASSERT_EQ(parsed.frames.size(), 3u);
  EXPECT_TRUE(parsed.frames[0].ok());
  EXPECT_FALSE(parsed.frames[1].ok());
  EXPECT_TRUE(parsed.frames[2].ok());
}

TEST(ClientFrames, ANumberThatNoMachineHoldsIsOutOfRangeAndIgnoredInAnUnknownField) {
  for (const char* huge : {"18446744073709551616", "-9223372036854775809", "1e999", "-1E+400",
                           "123456789012345678901234.5e300"}) {
    client_one<Ping>(std::string(R"({"type":"ping","odd":[)") + huge + R"(,"1e999 \"stays\""],"x":)" + huge +
                     "}");
    const auto problem =
        problem_of(R"({"type":"pull","request":5,"conversation":"0198f000-0000-8000-8000-00000000abcd",)"
                   R"("after":)" +
                   std::string(huge) + "}");
    EXPECT_EQ(problem.code, Code::bad_request) << huge;
    EXPECT_EQ(problem.request, 5u);
  }
  EXPECT_TRUE(problem_of(R"({"type":"ping","x":1e999e})").closes);
  EXPECT_TRUE(problem_of(R"({"type":"ping","x":0018446744073709551616})").closes);
  EXPECT_EQ(
      client_one<MessageSend>(send_head + R"("odd":1e999,"message":{"kind":"text","text":"call 1e999 now"}})")
          .message.text,
      "call 1e999 now");
}

// Every byte of good messages changed, cut and doubled: the reader answers, whatever it is given.
TEST(ClientFrames, MutatedMessagesAreAnsweredLikeAnyOther) {
  const std::string seed =
      "[" + send_head +
      R"("previous":null,"until":1795300000123,"message":{"kind":"text","text":"\ud83d\ude00 \n"}},)" +
      R"({"type":"sync","request":9,"from":"0198f000-0000-8000-8000-00000000abcd",)" +
      R"("to":"0198f000-0000-8000-8000-00000000abcd","vector":[["0198f000-0000-8000-8000-00000000abcd",3,"33"]]}])";
  size_t taken = 0, refused = 0;
  const auto feed = [&](const std::string& text) {
    for (const auto& frame : parse_client_frames(text).frames) ++(frame.ok() ? taken : refused);
    for (const auto& frame : parse_server_frames(text).frames) ++(frame.ok() ? taken : refused);
  };
  for (size_t i = 0; i < seed.size(); ++i) {
    for (const char byte : {'\0', '"', '\\', '{', ']', ',', '9', 'd', '\x80'}) {
      std::string changed = seed;
      changed[i] = byte;
      feed(changed);
    }
    feed(seed.substr(0, i));
    feed(seed.substr(i));
    feed(seed.substr(0, i) + seed.substr(i / 2));
  }
  EXPECT_GT(taken, 1000u);
  EXPECT_GT(refused, 1000u);
}

TEST(ClientFrames, OfARepeatedKeyTheFirstCounts) {
  EXPECT_EQ(client_one<Ack>(R"({"type":"ack","received":1,"received":2,"type":"bye"})").received, 1u);
}

TEST(ServerFrames, EventsSurviveTheWireAndLookAsTheProtocolSays) {
  model::Event event{conversation,
                     {122},
                     {98},
                     {183746529384612864},
                     base::wall_from_ms(1795300000123),
                     {42},
                     client_id,
                     model::MessageCreated{{model::MessageKind::text, "hel\"lo"}}};
  const auto bytes = encode_event(event);
  EXPECT_EQ(
      bytes,
      R"({"type":"event","event":"message.created","conversation":"0198f000-0000-8000-8000-00000000abcd",)"
      R"("seq":122,"ord":98,"id":"183746529384612864","time":1795300000123,"from":"42",)"
      R"("client_id":"0198f0aa-0000-7000-8000-000000000001","message":{"kind":"text","text":"hel\"lo"}})");
  EXPECT_EQ(server_one<EventFrame>(bytes).event, event);
  event.body = model::ConversationCreated{model::ConversationKind::direct, {{42}, {43}}};
  EXPECT_EQ(server_one<EventFrame>(encode_event(event)).event, event);
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
  const auto back = server_one<Welcome>(encode(welcome));
  EXPECT_EQ(back.device, welcome.device);
  EXPECT_EQ(back.now, welcome.now);
  EXPECT_EQ(back.sync, "full");
  EXPECT_EQ(back.branch, "0f");
  EXPECT_EQ(back.text_bytes_max, 16384u);
  EXPECT_FALSE(back.resumed);
}

TEST(ServerFrames, PagesCarryTheVeryBytesOfEvents) {
  const model::Event event{
      conversation,          {2},  {1},       {7},
      base::wall_from_ms(5), {42}, client_id, model::MessageCreated{{model::MessageKind::text, "hello"}}};
  PageFrame page;
  page.request = 6;
  page.conversation = conversation;
  page.holes = {{{3}, {4}, model::HoleReason::retention}};
  page.upto = {4};
  page.head = {9};
  page.asof = {9};
  page.more = true;
  page.marks = {{{42}, {2}, {3}}};
  page.mark_count = 11;
  const auto bytes = encode_page(page, {encode_event(event)});
  EXPECT_NE(bytes.find(encode_event(event)), std::string::npos);
  const auto back = server_one<PageFrame>(bytes);
  ASSERT_EQ(back.events.size(), 1u);
  EXPECT_EQ(back.events[0], event);
  ASSERT_EQ(back.holes.size(), 1u);
  EXPECT_EQ(back.holes[0].to.value, 4u);
  EXPECT_EQ(back.holes[0].why, model::HoleReason::retention);
  EXPECT_EQ(back.head.value, 9u);
  EXPECT_TRUE(back.more);
  ASSERT_EQ(back.marks.size(), 1u);
  EXPECT_EQ(back.marks[0].delivered.value, 3u);
  EXPECT_EQ(back.mark_count, 11u);
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
