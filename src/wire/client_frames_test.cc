#include "wire/frames_test.h"

namespace tidings::wire {
namespace {

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
  for (const char* kind : {"broadcast", "self", ""}) {
    EXPECT_EQ(
        problem_of(
            R"({"type":"conversation.create","request":5,"client_id":"0198f0aa-0000-7000-8000-000000000001",)"
            R"("members":[],"kind":")" +
            std::string(kind) + "\"}")
            .code,
        Code::unsupported)
        << kind;
  }
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

TEST(ClientFrames, OfARepeatedKeyTheFirstCounts) {
  EXPECT_EQ(client_one<Ack>(R"({"type":"ack","received":1,"received":2,"type":"bye"})").received, 1u);
}

}  // namespace
}  // namespace tidings::wire
