// Sessions that outlive their connections: the ring and its bound, pull mode, resume, poll, admission.
#include "test/gateway/fixture.h"

namespace tidings::gateway {
namespace {

using wire::Code;

class ResumeTest : public GatewayTest {
 protected:
  struct Joined {
    std::shared_ptr<Peer> peer;
    wire::Welcome welcome;
  };
  static std::string ack(uint64_t received) { return wire::encode(wire::Ack{received}); }
  static std::string text(uint64_t seq, size_t bytes = 0) {
    return R"({"type":"n)" + std::to_string(seq) + R"(","x":")" + std::string(bytes, 'x') + "\"}";
  }
  void event(uint64_t seq, size_t bytes = 0) { down(live({ann}, 0, text(seq, bytes), seq)); }
  Joined join(const std::string& token = "ann-phone") { return welcome(connect(), hello(token)); }
  Joined welcome(std::shared_ptr<Peer> peer, const std::string& frame) {
    peer->say(frame);
    executor_.run();
    EXPECT_FALSE(peer->got.empty());
    if (peer->got.empty()) return {peer, {}};
    const auto first = wire::parse_server_frames(peer->got.front()).frames;
    peer->got.erase(peer->got.begin());
    const auto* welcome = std::get_if<wire::Welcome>(&first.at(0).value());
    EXPECT_NE(welcome, nullptr);
    return {peer, welcome ? *welcome : wire::Welcome{}};
  }
  static std::string back(const wire::Welcome& welcome, uint64_t received, std::string token = "ann-phone") {
    wire::Hello hello;
    hello.token = std::move(token);
    hello.session = welcome.session;
    hello.resume = welcome.resume;
    hello.received = received;
    return wire::encode(hello);
  }
  void breaks(const Joined& joined) {
    joined.peer->handler->on_closed(1006, "");
    executor_.run();
  }
  int64_t parked() { return gauge("tidings_gateway_sessions_parked"); }
};

TEST_F(ResumeTest, ASessionGoesOnWhereItsClientSays) {
  const auto first = join();
  EXPECT_EQ(first.welcome.resume.size(), 22u);
  first.peer->say(wire::encode(send_of(9, 1)));
  for (uint64_t seq = 1; seq <= 3; ++seq) event(seq);
  first.peer->say(ack(1));
  breaks(first);
  EXPECT_EQ(parked(), 1);
  EXPECT_TRUE(links_[0].all<ports::Detach>().empty());
  event(4);
  down(ok(last_commands()[0], 5));
  const auto second = welcome(connect(), back(first.welcome, 2));
  EXPECT_TRUE(second.welcome.resumed);
  EXPECT_EQ(second.welcome.session, first.welcome.session);
  EXPECT_NE(second.welcome.resume, first.welcome.resume);
  EXPECT_EQ(second.welcome.sync, "none");
  EXPECT_EQ(second.welcome.received, 2u);
  EXPECT_EQ(second.welcome.replayed, 3u);
  ASSERT_EQ(second.peer->got.size(), 3u);
  EXPECT_EQ(second.peer->got[0], text(3));
  EXPECT_EQ(second.peer->got[1], text(4));
  EXPECT_NE(second.peer->got[2].find("\"ok\""), std::string::npos) << "the answer came meanwhile";
  EXPECT_EQ(parked(), 0);
  EXPECT_EQ(gauge("tidings_gateway_parked_bytes"), 0);
  event(5);
  EXPECT_EQ(second.peer->got.back(), text(5));
  EXPECT_EQ(links_[0].all<ports::Attach>().size(), 1u);
}

TEST_F(ResumeTest, WhatDoesNotFitIsANewSessionAndTheOldOneGoes) {
  const auto none = [&](const char* why, const auto& change) {
    const auto first = join();
    event(1);
    event(2);
    first.peer->say(ack(1));
    breaks(first);
    auto hello = std::get<wire::Hello>(*wire::parse_client_frames(back(first.welcome, 2)).frames[0]);
    change(hello);
    const auto second = welcome(connect(), wire::encode(hello));
    EXPECT_FALSE(second.welcome.resumed) << why;
    EXPECT_EQ(second.welcome.received, 0u) << why;
    EXPECT_NE(second.welcome.session, first.welcome.session) << why;
    EXPECT_EQ(parked(), 0) << why;
    EXPECT_EQ(links_[0].all<ports::Detach>().size(), links_[0].all<ports::Attach>().size() - 1) << why;
    second.peer->say(wire::encode(wire::Bye{}));
    executor_.run();
  };
  none("another token", [](auto& hello) { hello.resume->front() ^= 1; });
  none("no token", [](auto& hello) { hello.resume.reset(); });
  none("acked already", [](auto& hello) { hello.received = 0; });
  none("never sent", [](auto& hello) { hello.received = 3; });
  none("nobody's session", [](auto& hello) { *hello.session += "7"; });
  none("no session", [](auto& hello) { *hello.session = "what"; });
}

TEST_F(ResumeTest, AnotherDeviceCannotGoOnWithIt) {
  const auto first = join();
  breaks(first);
  EXPECT_FALSE(welcome(connect(), back(first.welcome, 0, "bob-phone")).welcome.resumed);
  EXPECT_TRUE(welcome(connect(), back(first.welcome, 0)).welcome.resumed);
}

TEST_F(ResumeTest, ALostWelcomeCostsNothingAndAUsedTokenIsUsed) {
  const auto first = join();
  event(1);
  breaks(first);
  const auto lost = welcome(connect(), back(first.welcome, 0));
  breaks(lost);
  const auto second = welcome(connect(), back(first.welcome, 0));
  EXPECT_TRUE(second.welcome.resumed);
  EXPECT_EQ(second.peer->got.size(), 1u);
  breaks(second);
  const auto third = welcome(connect(), back(second.welcome, 0));
  EXPECT_TRUE(third.welcome.resumed);
  third.peer->say(wire::encode(wire::Ping{}));
  breaks(third);
  EXPECT_FALSE(welcome(connect(), back(second.welcome, 0)).welcome.resumed);
}

TEST_F(ResumeTest, WhoComesBackTakesTheSessionOver) {
  const auto first = join();
  const auto second = welcome(connect(), back(first.welcome, 0));
  EXPECT_TRUE(second.welcome.resumed);
  EXPECT_EQ(first.peer->closed->first, 4409);
  executor_.run();
  event(1);
  EXPECT_EQ(second.peer->got.size(), 1u);
  EXPECT_EQ(gauge("tidings_gateway_sessions"), 1);
  EXPECT_EQ(parked(), 0);
}

// Its client has given that connection up: `replaced` would stop it for good.
TEST_F(ResumeTest, AHelloThatComesLateOnAnOlderConnectionReplacesNobody) {
  const auto first = join();
  auto late = connect(), late_too = connect();
  executor_.advance(base::milliseconds(1));
  breaks(first);
  const auto second = welcome(connect(), back(first.welcome, 0));
  late->say(back(first.welcome, 0));
  late_too->say(hello("ann-phone"));
  executor_.run();
  EXPECT_EQ(late->closed->first, 4409);
  EXPECT_EQ(late_too->closed->first, 4409);
  EXPECT_FALSE(second.peer->closed);
}

TEST_F(ResumeTest, AParkedSessionIsForgottenInTime) {
  const auto first = join();
  breaks(first);
  executor_.advance(base::seconds(119));
  EXPECT_EQ(parked(), 1);
  executor_.advance(base::seconds(3));
  EXPECT_EQ(parked(), 0);
  EXPECT_EQ(links_[0].all<ports::Detach>().size(), 1u);
}

TEST_F(ResumeTest, ParkedSessionsAreBoundedInNumberAndBytes) {
  limits_.parked_sessions_max = 1;
  limits_.parked_bytes_max = 300;
  const auto first = join(), second = join("bob-phone");
  breaks(first);
  executor_.advance(base::milliseconds(1));
  breaks(second);
  EXPECT_EQ(parked(), 1);
  EXPECT_FALSE(welcome(connect(), back(first.welcome, 0)).welcome.resumed);
  down(live({bob}, 0, text(1, 200), 1));
  down(live({bob}, 0, text(2, 200), 2));
  EXPECT_LE(gauge("tidings_gateway_parked_bytes"), 300);
  const auto again = welcome(connect(), back(second.welcome, 0, "bob-phone"));
  EXPECT_TRUE(again.welcome.resumed);
  ASSERT_EQ(again.peer->got.size(), 2u);
  const auto frames = again.peer->take();
  EXPECT_EQ(std::get<wire::Dirty>(frames[1]).conversations.at(0).head.value, 2u);
  EXPECT_EQ(gauge("tidings_gateway_parked_bytes"), 0);
}

TEST_F(ResumeTest, ByeAndLogOutForgetIt) {
  const auto first = join();
  first.peer->say(wire::encode(wire::Bye{}));
  executor_.run();
  EXPECT_EQ(parked(), 0);
  const auto second = join();
  breaks(second);
  service_.log_out("ann-phone", executor_, [](wire::Answer<void> done) { EXPECT_TRUE(done.ok()); });
  executor_.run();
  EXPECT_EQ(parked(), 0);
  EXPECT_EQ(links_[0].all<ports::Detach>().size(), 2u);
}

TEST_F(ResumeTest, AHelloElsewhereDropsAParkedSession) {
  const auto first = join();
  breaks(first);
  auto other = announced_.back();
  other.gateway ^= 1;
  other.time += base::nanoseconds(1);
  gateway_->on_device_hello(other);
  EXPECT_EQ(parked(), 0);
}

// --- the bound

TEST_F(ResumeTest, BeyondTheBoundConversationsAreToldDirtyAtAQuarter) {
  limits_.unacked_frames_max = 8;
  const auto joined = join();
  for (uint64_t seq = 1; seq <= 12; ++seq) event(seq);
  EXPECT_EQ(joined.peer->got.size(), 8u);
  EXPECT_EQ(gauge("tidings_gateway_sessions_in_pull_mode"), 1);
  down(ports::ReceiptOut{model::self_conversation(ann), {ann}, false, R"({"type":"r"})"});
  joined.peer->got.clear();
  joined.peer->say(ack(5));
  EXPECT_TRUE(joined.peer->got.empty());
  joined.peer->say(ack(6));
  const auto dirty = joined.peer->one<wire::Dirty>();
  EXPECT_FALSE(dirty.list);
  ASSERT_EQ(dirty.conversations.size(), 2u);
  for (const auto& row : dirty.conversations)
    EXPECT_EQ(row.head.value, row.conversation == talk() ? 12u : 0u);
  event(13);
  EXPECT_EQ(joined.peer->got.size(), 1u);
  EXPECT_EQ(gauge("tidings_gateway_sessions_in_pull_mode"), 0);
}

TEST_F(ResumeTest, TooManyDirtyConversationsAreASync) {
  limits_.unacked_frames_max = 4;
  limits_.dirty_conversations_max = 1;
  const auto joined = join();
  for (uint64_t seq = 1; seq <= 5; ++seq) event(seq);
  down(ports::ReceiptOut{model::self_conversation(ann), {ann}, false, R"({"type":"r"})"});
  joined.peer->got.clear();
  joined.peer->say(ack(4));
  const auto dirty = joined.peer->one<wire::Dirty>();
  EXPECT_TRUE(dirty.list);
  EXPECT_TRUE(dirty.conversations.empty());
}

TEST_F(ResumeTest, OneFrameAboveTheBoundAlwaysFits) {
  limits_.unacked_bytes_max = 100;
  const auto joined = join();
  event(1, 1000);
  EXPECT_EQ(joined.peer->got.size(), 1u);
}

TEST_F(ResumeTest, WhatWaitsForTheSocketCountsBesidesTheRing) {
  limits_.unacked_bytes_max = 100'000;
  const auto joined = join();
  joined.peer->reads = false;
  for (uint64_t seq = 1; seq <= 30; ++seq) event(seq, 16'000);
  executor_.advance(base::seconds(1));
  const auto unacked = static_cast<size_t>(gauge("tidings_gateway_unacked_bytes"));
  EXPECT_GT(unacked + joined.peer->unsent, 80'000u);
  EXPECT_LE(unacked + joined.peer->unsent, 100'000u);
}

TEST_F(ResumeTest, TheSocketIsGivenAsMuchAsItTakesAndNotReadMeanwhile) {
  limits_.unacked_bytes_max = 256 * 1024;
  const auto joined = join();
  joined.peer->reads = false;
  for (uint64_t seq = 1; seq <= 10; ++seq) event(seq, 16'000);
  executor_.run();
  EXPECT_EQ(joined.peer->got.size(), 5u);
  EXPECT_TRUE(joined.peer->paused);
  joined.peer->unsent = 0;
  executor_.advance(base::milliseconds(320));
  EXPECT_EQ(joined.peer->got.size(), 10u);
  joined.peer->unsent = 0;
  executor_.advance(base::milliseconds(640));
  EXPECT_FALSE(joined.peer->paused);
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(joined.peer->got[i], text(i + 1, 16'000));
}

TEST_F(ResumeTest, WhoTakesNothingForAMinuteIsASlowConsumerAndMayComeBack) {
  const auto joined = join();
  joined.peer->reads = false;
  for (uint64_t seq = 1; seq <= 30; ++seq) event(seq, 16'000);
  executor_.advance(base::seconds(58));
  EXPECT_FALSE(joined.peer->closed);
  const size_t before = joined.peer->got.size();
  executor_.advance(base::seconds(4));
  ASSERT_TRUE(joined.peer->closed);
  EXPECT_EQ(joined.peer->closed->first, 4429);
  EXPECT_EQ(joined.peer->got.size(), before) << "who does not read is told nothing more";
  EXPECT_EQ(parked(), 1);
  EXPECT_TRUE(welcome(connect(), back(joined.welcome, 5)).welcome.resumed);
}

TEST_F(ResumeTest, ASlowLinkThatTakesSomethingStaysWithoutAnAck) {
  limits_.unacked_bytes_max = 352 * 1024;
  const auto joined = join();
  joined.peer->reads = false;
  for (uint64_t seq = 1; seq <= 30; ++seq) event(seq, 16'000);
  executor_.advance(base::seconds(1));
  for (int i = 0; i < 3; ++i) {
    executor_.advance(base::seconds(50));
    joined.peer->unsent = 0;
    executor_.advance(base::seconds(1));
  }
  EXPECT_FALSE(joined.peer->closed) << "64 KiB a minute";
  executor_.advance(base::seconds(62));
  EXPECT_TRUE(joined.peer->closed) << "and then acks are missing";
}

TEST_F(ResumeTest, WhoAsksAndNeverAcksIsCutOff) {
  limits_.unacked_frames_max = 16;
  const auto joined = join();
  for (int i = 0; i < 40 && !joined.peer->closed; ++i) joined.peer->say(R"({"type":"what","request":3})");
  ASSERT_TRUE(joined.peer->closed);
  EXPECT_EQ(joined.peer->got.size(), 32u) << "and of the one too many nothing is told";
}

// What was left out is no longer contiguous: acks of later events prove nothing.
TEST_F(ResumeTest, ADirtyConversationNeedsAPull) {
  limits_.unacked_frames_max = 4;
  const auto joined = join();
  joined.peer->say(wire::encode(wire::SyncFrame{1, {}, last_id(), {}, {}}));
  for (size_t shard = 0; shard < 2; ++shard) {
    down_one(shard, ports::SyncOut{links_[shard].all<ports::Sync>().back().query, ports::SyncRows{}});
  }
  for (uint64_t seq = 1; seq <= 5; ++seq) event(seq);
  joined.peer->say(ack(4));
  ASSERT_EQ(link().all<ports::Mark>().size(), 1u);
  EXPECT_EQ(link().all<ports::Mark>()[0].marking.delivered.value, 3u);
  down(answer(link().all<ports::Mark>()[0]));
  executor_.advance(base::seconds(2));
  event(6);
  joined.peer->say(ack(6));
  executor_.advance(base::seconds(2));
  EXPECT_EQ(link().all<ports::Mark>().size(), 1u);
}

// --- hellos in order

TEST_F(ResumeTest, HellosAreCheckedInOrderAndTheRestIsTurnedAway) {
  limits_.hellos_in_flight_max = 1;
  limits_.hellos_waiting_max = 1;
  auto first = connect(), second = connect(), third = connect();
  first->say(hello("ann-phone"));
  second->say(hello("ann-laptop"));
  EXPECT_EQ(gauge("tidings_gateway_hellos_waiting"), 1);
  third->say(hello("bob-phone"));
  const auto busy = third->one<wire::ErrorFrame>();
  EXPECT_EQ(busy.code, Code::busy);
  EXPECT_GE(busy.retry_ms, 500u);
  EXPECT_EQ(third->closed->first, 1013);
  executor_.run();
  first->one<wire::Welcome>();
  second->one<wire::Welcome>();
  EXPECT_EQ(gauge("tidings_gateway_hellos_waiting"), 0);
  auto gone = connect(), last = connect(), before = connect();
  before->say(hello("eve-phone"));
  gone->say(hello("ann-phone"));
  gone->handler->on_closed(1006, "");
  executor_.run();
  last->say(hello("bob-phone"));
  executor_.run();
  last->one<wire::Welcome>();
}

// --- several gateways in one process

class TwoGatewaysTest : public ResumeTest {
 protected:
  TwoGatewaysTest() {
    const auto make_one = [this](size_t index) {
      gateways_[index] = std::make_unique<Gateway>(Gateway::Parts{
          executor_,
          time_,
          random_,
          service_,
          limits_,
          metrics_,
          "00ab",
          [this, index](const DeviceHello& hello) {
            executor_.post([this, index, hello] { gateways_[1 - index]->on_device_hello(hello); });
          },
          [this](uint64_t id, base::UniqueFunction<void(Gateway&)> task) {
            for (auto& gateway : gateways_) {
              if (gateway->id() != id) continue;
              if (task) executor_.post([&gateway, t = std::move(task)]() mutable { t(*gateway); });
              return true;
            }
            return false;
          },
          {}});
      gateways_[index]->set_links({&links_[0], &links_[1]});
    };
    make_one(0);
    make_one(1);
  }
  ~TwoGatewaysTest() override { executor_.run(); }

  std::shared_ptr<Peer> connect_to(size_t index) {
    auto peer = std::make_shared<Peer>();
    gateways_[index]->accept(std::make_unique<PretendedTransport>(executor_, peer));
    return peer;
  }

  std::unique_ptr<Gateway> gateways_[2];
};

TEST_F(TwoGatewaysTest, AHelloMovesToTheGatewayThatHasTheSession) {
  const auto first = welcome(connect_to(0), hello("ann-phone"));
  breaks(first);
  auto peer = connect_to(1);
  peer->say("[" + back(first.welcome, 0) + R"(,{"type":"ping"}])");
  executor_.run();
  const auto frames = peer->take();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_TRUE(std::get<wire::Welcome>(frames[0]).resumed);
  EXPECT_TRUE(std::holds_alternative<wire::Pong>(frames[1])) << "what it said with its hello came along";
  EXPECT_EQ(gauge("tidings_gateway_sessions"), 1);
  peer->say(R"({"type":"ping"})");
  peer->one<wire::Pong>();
}

TEST_F(TwoGatewaysTest, WhereNothingIsLeftToResumeANewSessionBegins) {
  const auto first = welcome(connect_to(0), hello("ann-phone"));
  first.peer->say(wire::encode(wire::Bye{}));
  executor_.run();
  const auto second = welcome(connect_to(1), back(first.welcome, 0));
  EXPECT_FALSE(second.welcome.resumed);
  executor_.advance(base::milliseconds(1));
  auto fixed = connect_to(1);
  fixed->moves = false;
  EXPECT_FALSE(welcome(fixed, back(second.welcome, 0)).welcome.resumed) << "this transport cannot move";
  EXPECT_EQ(second.peer->closed->first, 4409);
}

TEST_F(TwoGatewaysTest, APollIsCarriedToTheGatewayOfItsSession) {
  const auto first = welcome(connect_to(0), hello("ann-phone"));
  std::optional<std::string> answer;
  const account::Identity who{ann, ann_phone};
  const auto poll = [&](size_t index, Gateway::PollCall call) {
    answer.reset();
    call.token = "ann-phone";
    gateways_[index]->poll(who, std::move(call), [&](wire::Answer<std::string> frames) {
      EXPECT_TRUE(frames.ok());
      answer = frames.ok() ? *frames : "";
    });
    executor_.run();
  };
  poll(1, {{}, first.welcome.session, first.welcome.resume, 0, ""});
  ASSERT_TRUE(answer);
  EXPECT_TRUE(std::get<wire::Welcome>(wire::parse_server_frames(*answer).frames.at(0).value()).resumed);
  EXPECT_EQ(first.peer->closed->first, 4409);
  poll(1, {{}, first.welcome.session, {}, 0, R"([{"type":"ping"}])"});
  ASSERT_TRUE(answer);
  EXPECT_NE(answer->find("pong"), std::string::npos);
}

}  // namespace
}  // namespace tidings::gateway
