#include "api/api_for_test.h"

namespace tidings::api {
namespace {

class PollApiTest : public ApiTest {
 protected:
  // The frames of an answer; fails without one.
  static std::vector<wire::ServerFrame> frames(const std::shared_ptr<Answered>& answered) {
    EXPECT_EQ(answered->count, 1);
    EXPECT_EQ(answered->response.status, 200) << answered->response.body;
    constexpr std::string_view head = R"({"frames":)";
    std::string_view body = answered->response.body;
    if (!body.starts_with(head)) return {};
    body.remove_prefix(head.size());
    body.remove_suffix(1);
    std::vector<wire::ServerFrame> out;
    for (auto& frame : wire::parse_server_frames(body).frames) out.push_back(std::move(frame.value()));
    return out;
  }
  template <class T>
  static T one(const std::shared_ptr<Answered>& answered) {
    const auto all = frames(answered);
    EXPECT_EQ(all.size(), 1u) << answered->response.body;
    const auto* frame = all.empty() ? nullptr : std::get_if<T>(&all.front());
    EXPECT_NE(frame, nullptr) << answered->response.body;
    return frame ? *frame : T{};
  }
  std::shared_ptr<Answered> poll(const std::string& fields, std::string token = "ann-phone") {
    return ask("POST", "/v1/poll", "{" + fields + "}", {}, std::move(token));
  }
  static std::string of(const wire::Welcome& welcome, uint64_t received, bool resume = false) {
    std::string fields = R"("session":")" + welcome.session + R"(","received":)" + std::to_string(received);
    if (resume) fields += R"(,"resume":")" + welcome.resume + '"';
    return fields;
  }
  wire::Welcome begin() { return one<wire::Welcome>(poll("")); }
  void event(uint64_t seq) {
    down(live({ann}, 0, R"({"type":"n)" + std::to_string(seq) + "\"}", seq));
    executor_.run();
  }
  static std::string type(const wire::ServerFrame& frame) { return std::get<wire::UnknownFrame>(frame).type; }
};

TEST_F(PollApiTest, ItNeedsAnAccountAndABodyThatIsOne) {
  expect_problem(poll("", "nobody's"), 401, "unauthenticated");
  expect_problem(poll(R"("received":"x")"), 400, "bad_request");
  expect_problem(poll(R"("frames":{})"), 400, "bad_request");
}

TEST_F(PollApiTest, TheFirstAnswerIsTheWelcomeAndTheNextWaitForEvents) {
  const auto welcome = begin();
  EXPECT_EQ(welcome.user, ann);
  auto waits = poll(of(welcome, 0));
  EXPECT_EQ(waits->count, 0);
  event(1);
  EXPECT_EQ(type(frames(waits).at(0)), "n1");
  event(2);
  EXPECT_EQ(type(frames(poll(of(welcome, 1))).at(0)), "n2") << "what came between two calls";
}

TEST_F(PollApiTest, WhatIsNotAckedComesAgainAndWhatIsAckedDoesNot) {
  const auto welcome = begin();
  for (uint64_t seq = 1; seq <= 3; ++seq) event(seq);
  EXPECT_EQ(frames(poll(of(welcome, 0))).size(), 3u);
  EXPECT_EQ(frames(poll(of(welcome, 0))).size(), 3u) << "that answer was lost";
  const auto rest = frames(poll(of(welcome, 2)));
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(type(rest[0]), "n3");
}

TEST_F(PollApiTest, ACallWithoutNewsIsAnsweredEmptyAfterItsTimeOrWhenAnotherComes) {
  const auto welcome = begin();
  auto first = poll(of(welcome, 0));
  executor_.advance(base::seconds(24));
  EXPECT_EQ(first->count, 0);
  auto second = poll(of(welcome, 0));
  EXPECT_TRUE(frames(first).empty());
  executor_.advance(base::seconds(26));
  EXPECT_TRUE(frames(second).empty());
  executor_.advance(base::seconds(80));
  EXPECT_EQ(gauge("tidings_gateway_sessions_parked"), 1) << "nobody polled for 70 s";
}

TEST_F(PollApiTest, FramesAreTakenAsOnASocket) {
  const auto welcome = begin();
  auto sent = poll(of(welcome, 0) + R"(,"frames":[)" + wire::encode(send_of(4, 1)) + "]");
  EXPECT_EQ(sent->count, 0);
  down(ok(last_commands().at(0), 7));
  executor_.run();
  EXPECT_EQ(one<wire::Ok>(sent).seq.value, 7u);
  const auto first = frames(poll(R"("frames":[{"type":"ping"}])", "bob-phone"));
  ASSERT_EQ(first.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<wire::Welcome>(first[0]));
  EXPECT_TRUE(std::holds_alternative<wire::Pong>(first[1]));
}

TEST_F(PollApiTest, ASessionMovesFromSocketToPollToSocket) {
  auto peer = connect();
  peer->say(hello("ann-phone"));
  executor_.run();
  const auto welcome = peer->one<wire::Welcome>();
  event(1);
  event(2);
  EXPECT_FALSE(std::get<wire::Welcome>(frames(poll(of(welcome, 1), "bob-phone")).at(0)).resumed)
      << "it is another's";
  const auto moved = frames(poll(of(welcome, 1, true)));
  EXPECT_EQ(peer->closed->first, 4409);
  ASSERT_EQ(moved.size(), 2u);
  const auto& second = std::get<wire::Welcome>(moved[0]);
  EXPECT_TRUE(second.resumed);
  EXPECT_EQ(second.replayed, 1u);
  EXPECT_EQ(type(moved[1]), "n2");
  auto waits = poll(of(second, 2));
  wire::Hello back;
  back.token = "ann-phone";
  back.session = second.session;
  back.resume = second.resume;
  back.received = 2;
  auto socket = connect();
  socket->say(wire::encode(back));
  executor_.run();
  EXPECT_EQ(one<wire::ErrorFrame>(waits).code, wire::Code::replaced);
  EXPECT_TRUE(socket->one<wire::Welcome>().resumed);
  event(3);
  EXPECT_EQ(socket->got.size(), 1u);
}

TEST_F(PollApiTest, ALostWelcomeOfAPollIsSaidAgain) {
  const auto first = begin();
  auto peer = connect();
  wire::Hello hello;
  hello.token = "ann-phone";
  hello.session = first.session;
  hello.resume = first.resume;
  hello.received = 0;
  peer->say(wire::encode(hello));
  executor_.run();
  const auto second = peer->one<wire::Welcome>();
  EXPECT_TRUE(second.resumed);
  one<wire::Welcome>(poll(of(second, 0, true)));
  EXPECT_TRUE(one<wire::Welcome>(poll(of(second, 0, true))).resumed);
}

}  // namespace
}  // namespace tidings::api
