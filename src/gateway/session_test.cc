#include "test/gateway/fixture.h"

namespace tidings::gateway {
namespace {

using wire::Code;

class SessionTest : public GatewayTest {
 protected:
  // Says the one frame, and expects the error and the close of `code`.
  void expect_end(const std::string& frame, Code code, uint16_t close_code) {
    auto peer = connect();
    peer->say(frame);
    executor_.run();
    EXPECT_EQ(peer->one<wire::ErrorFrame>().code, code) << frame;
    ASSERT_TRUE(peer->closed) << frame;
    EXPECT_EQ(peer->closed->first, close_code);
    EXPECT_EQ(peer->closed->second, wire::name(code));
  }
};

TEST_F(SessionTest, AGoodHelloIsWelcomedOnceEveryShardKnowsThePerson) {
  log_time_ = base::wall_from_ms(1'790'000'500'000);
  down(0, {});
  auto peer = connect();
  peer->say(hello("ann-phone"));
  EXPECT_TRUE(peer->got.empty());
  executor_.run();
  const auto welcome = peer->one<wire::Welcome>();
  EXPECT_EQ(welcome.user, ann);
  EXPECT_EQ(welcome.device, ann_phone);
  EXPECT_EQ(welcome.sync, "full");
  EXPECT_EQ(welcome.branch, "00ab");
  EXPECT_EQ(welcome.now, log_time_);
  EXPECT_EQ(welcome.heartbeat_ms, 30000u);
  EXPECT_EQ(welcome.text_bytes_max, limits_.text_bytes_max);
  for (const auto& shard : links_) {
    ASSERT_EQ(shard.all<ports::Attach>().size(), 1u);
    EXPECT_EQ(shard.all<ports::Attach>()[0].user, ann);
  }
}

TEST_F(SessionTest, OnlyThePersonsFirstSessionAttachesAndOnlyTheLastDetaches) {
  auto phone = welcomed("ann-phone");
  auto laptop = welcomed("ann-laptop");
  EXPECT_EQ(links_[0].all<ports::Attach>().size(), 1u);
  phone->say(wire::encode(wire::Bye{}));
  executor_.run();
  EXPECT_EQ(phone->closed->first, 1000);
  EXPECT_TRUE(links_[0].all<ports::Detach>().empty());
  laptop->say(wire::encode(wire::Bye{}));
  executor_.run();
  EXPECT_EQ(links_[0].all<ports::Detach>().size(), 1u);
  EXPECT_EQ(links_[1].all<ports::Detach>().size(), 1u);
  EXPECT_EQ(gauge("tidings_gateway_sessions"), 0);
}

TEST_F(SessionTest, AHelloThatFailsSaysWhyAndCloses) {
  expect_end(hello("nobody's"), Code::unauthenticated, 4401);
  expect_end(hello(""), Code::unauthenticated, 4401);
  expect_end(R"({"type":"hello"})", Code::unauthenticated, 4401);
  expect_end(hello("expired"), Code::token_expired, 4401);
  expect_end(R"({"type":"hello","versions":[2,3],"token":"ann-phone"})", Code::version, 4426);
  expect_end(R"({"type":"hello","versions":[0,0],"token":"ann-phone"})", Code::version, 4426);
  expect_end(R"({"type":"hello","versions":1,"token":"ann-phone"})", Code::bad_frame, 4400);
  expect_end(R"({"type":"hello","token":17})", Code::bad_frame, 4400);
  expect_end(R"({"type":"ping"})", Code::bad_frame, 4400);
  expect_end(R"({"type":"bye"})", Code::bad_frame, 4400);
  expect_end(R"({"type":"what"})", Code::bad_frame, 4400);
  expect_end("hello", Code::bad_frame, 4400);
  expect_end("[1]", Code::bad_frame, 4400);
  EXPECT_EQ(gauge("tidings_gateway_sessions"), 0);
  EXPECT_TRUE(links_[0].frames.empty());
}

TEST_F(SessionTest, WithoutAHelloInTimeItIsClosed) {
  auto peer = connect();
  executor_.advance(base::seconds(9));
  EXPECT_FALSE(peer->closed);
  executor_.advance(base::seconds(2));
  ASSERT_TRUE(peer->closed);
  EXPECT_EQ(peer->closed->first, 4408);
  EXPECT_EQ(peer->closed->second, "hello_timeout");
}

TEST_F(SessionTest, AFullLinkAtTheHelloIsBusyAndLeavesNobodyAttached) {
  links_[1].full = true;
  auto peer = connect();
  peer->say(hello("ann-phone"));
  executor_.run();
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::busy);
  EXPECT_EQ(peer->closed->second, "busy");
  EXPECT_EQ(links_[0].all<ports::Detach>().size(), 1u);
}

TEST_F(SessionTest, ADetachThatAFullLinkDidNotTakeIsSaidLater) {
  auto peer = welcomed("ann-phone");
  links_[1].full = true;
  peer->say(wire::encode(wire::Bye{}));
  executor_.run();
  EXPECT_TRUE(links_[1].all<ports::Detach>().empty());
  links_[1].full = false;
  executor_.advance(base::seconds(2));
  EXPECT_EQ(links_[1].all<ports::Detach>().size(), 1u);
}

TEST_F(SessionTest, FramesBehindTheHelloWaitForTheWelcomeInTheirOrder) {
  auto peer = connect();
  peer->say("[" + hello("ann-phone") + R"(,{"type":"ping"},)" + wire::encode(send_of(1, 1)) + "]");
  peer->say(wire::encode(send_of(2, 2)));
  EXPECT_TRUE(link().all<ports::Commands>().empty());
  executor_.run();
  const auto frames = peer->take();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<wire::Welcome>(frames[0]));
  EXPECT_TRUE(std::holds_alternative<wire::Pong>(frames[1]));
  const auto commands = link().all<ports::Commands>();
  ASSERT_EQ(commands.size(), 2u);
  EXPECT_EQ(commands[0].commands[0].client_id, client_id(1));
}

TEST_F(SessionTest, WhoSaysTooMuchBeforeTheWelcomeIsClosed) {
  auto peer = connect();
  peer->say(hello("ann-phone"));
  for (int i = 0; i < 40 && !peer->closed; ++i) peer->say(R"({"type":"ping"})");
  ASSERT_TRUE(peer->closed);
  EXPECT_EQ(peer->closed->first, 4400);
  executor_.run();
  EXPECT_EQ(gauge("tidings_gateway_sessions"), 0);
}

TEST_F(SessionTest, ALaterHelloOfTheDeviceReplacesTheOlder) {
  auto older = welcomed("ann-phone");
  auto newer = welcomed("ann-phone");
  EXPECT_EQ(older->one<wire::ErrorFrame>().code, Code::replaced);
  EXPECT_EQ(older->closed->first, 4409);
  EXPECT_FALSE(newer->closed);
  down(live({ann}, 0, R"({"type":"what"})"));
  EXPECT_EQ(newer->got.size(), 1u);
}

TEST_F(SessionTest, OfTwoGatewaysTheLaterHelloKeepsTheDevice) {
  auto peer = welcomed("ann-phone");
  ASSERT_EQ(announced_.size(), 1u);
  DeviceHello other = announced_[0];
  other.gateway ^= 1;

  other.time -= base::nanoseconds(1);
  gateway_->on_device_hello(other);
  EXPECT_FALSE(peer->closed);
  ASSERT_EQ(announced_.size(), 2u) << "the newer one is announced back";
  EXPECT_TRUE(announced_[1] > other);

  other.time += base::nanoseconds(2);
  gateway_->on_device_hello({ann_laptop, other.time, other.gateway, 1});
  EXPECT_FALSE(peer->closed);
  gateway_->on_device_hello(other);
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::replaced);
  EXPECT_EQ(peer->closed->first, 4409);
}

TEST_F(SessionTest, ALogOutEndsTheDevicesSession) {
  auto phone = welcomed("ann-phone");
  auto laptop = welcomed("ann-laptop");
  service_.log_out("ann-phone", executor_, [](wire::Answer<void> done) { EXPECT_TRUE(done.ok()); });
  executor_.run();
  EXPECT_EQ(phone->one<wire::ErrorFrame>().code, Code::device_revoked);
  EXPECT_EQ(phone->closed->first, 4403);
  EXPECT_FALSE(laptop->closed);
}

TEST_F(SessionTest, EventsGoToThePeoplesSessionsExceptTheSendersAsTheyAre) {
  auto phone = welcomed("ann-phone");
  auto laptop = welcomed("ann-laptop");
  auto friend_of = welcomed("bob-phone");
  auto stranger = welcomed("eve-phone");
  phone->say(wire::encode(send_of(1, 1)));
  const auto session = last_commands().at(0).reply_to.session;
  const std::string bytes = R"({"type":"event","odd":  "spacing stays"})";
  down(live({ann, bob}, session, bytes));
  EXPECT_TRUE(phone->got.empty());
  EXPECT_EQ(laptop->got, std::vector{bytes});
  EXPECT_EQ(friend_of->got, std::vector{bytes});
  EXPECT_TRUE(stranger->got.empty());
}

TEST_F(SessionTest, NoEventComesBeforeTheWelcome) {
  auto laptop = welcomed("ann-laptop");
  auto phone = connect();
  phone->say(hello("ann-phone"));
  down(live({ann}, 0, R"({"type":"what"})"));
  EXPECT_EQ(laptop->got.size(), 1u);
  executor_.run();
  phone->one<wire::Welcome>();
}

TEST_F(SessionTest, SilenceEndsASessionAndAPingKeepsIt) {
  auto silent = welcomed("ann-phone");
  auto alive = welcomed("bob-phone");
  for (int i = 0; i < 8; ++i) {
    executor_.advance(base::seconds(10));
    alive->say(wire::encode(wire::Ping{}));
    alive->one<wire::Pong>();
  }
  EXPECT_TRUE(silent->closed);
  EXPECT_FALSE(alive->closed);
}

TEST_F(SessionTest, FramesReadAfterTheLoopStoodStillAreNotTaken) {
  auto peer = welcomed("ann-phone");
  time_.passed += base::seconds(11);
  peer->say(wire::encode(send_of(1, 1)));
  EXPECT_TRUE(link().all<ports::Commands>().empty());
  ASSERT_TRUE(peer->closed);
  EXPECT_EQ(peer->closed->first, 4503);
}

TEST_F(SessionTest, AfterAGapInALinkEverySessionIsToldToSyncAndRequestsAreBusy) {
  auto peer = welcomed("ann-phone");
  down(0, {});
  down(1, {});
  EXPECT_TRUE(peer->got.empty());
  peer->say(wire::encode(send_of(4, 1)));
  peer->say(wire::encode(wire::PullFrame{5, talk(), {0}, {}, {}}));
  peer->say(wire::encode(wire::PullFrame{6, talk(), {0}, {}, {}}));
  ++numbers_[1];
  down(1, {});
  EXPECT_FALSE(peer->closed);
  const auto frames = peer->take();
  ASSERT_EQ(frames.size(), 3u);
  for (size_t i = 0; i < 2; ++i) {
    const auto& error = std::get<wire::ErrorFrame>(frames[i]);
    EXPECT_EQ(error.code, Code::busy);
    EXPECT_EQ(error.request, 4u + i);
  }
  EXPECT_TRUE(std::get<wire::Dirty>(frames[2]).list);
  EXPECT_EQ(link().all<ports::Pull>().size(), 2u) << "the next read is begun";
  auto again = welcomed("bob-phone");
  down(1, {});
  EXPECT_TRUE(again->got.empty());
}

TEST_F(SessionTest, ALostCoreIsFoundAgainWithAllItsPeople) {
  auto peer = welcomed("ann-phone");
  peer->say(wire::encode(wire::FocusFrame{talk()}));
  peer->say(wire::encode(send_of(4, 1)));
  const size_t shard = shard_of(talk());
  gateway_->on_link_lost(shard);
  link().full = true;
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::busy);
  EXPECT_FALSE(peer->closed);
  numbers_[shard] = 0;
  link().frames.clear();
  gateway_->on_link_ready(shard);
  EXPECT_TRUE(peer->got.empty()) << "not before the core knows all";
  link().full = false;
  executor_.advance(base::seconds(1));
  ASSERT_EQ(link().all<ports::Attach>().size(), 1u);
  EXPECT_EQ(link().all<ports::Focus>().size(), 1u);
  EXPECT_TRUE(peer->one<wire::Dirty>().list);
  down(live({ann}, 0, R"({"type":"what"})"));
  EXPECT_EQ(peer->got.size(), 1u) << "the numbers of the new link begin anew";
}

TEST_F(SessionTest, ARestoreThatNobodyKnewEndsAllForGood) {
  auto peer = welcomed("ann-phone");
  gateway_->on_lineage({77, {}, {}, model::Lineage::Reason::start});
  EXPECT_FALSE(peer->closed);
  gateway_->on_lineage({78, {}, {}, model::Lineage::Reason::restore});
  EXPECT_EQ(peer->closed->first, 4503);
  executor_.run();
  EXPECT_EQ(gauge("tidings_gateway_sessions_parked"), 0);
}

TEST_F(SessionTest, WhoOutlivesAStartOfTheCoreIsToldItsBranchBeforeAnythingElse) {
  limits_.unacked_frames_max = 1;
  auto peer = welcomed("ann-phone"), parked = welcomed("bob-phone");
  for (uint64_t seq = 1; seq <= 2; ++seq) down(live({ann}, 0, R"({"type":"what"})", seq));
  ASSERT_EQ(peer->got.size(), 1u) << "it is in pull mode";
  peer->got.clear();
  gateway_->on_lineage({77, {}, {}, model::Lineage::Reason::start});
  const auto told = peer->one<wire::Dirty>();
  EXPECT_EQ(told.branch, "000000000000004d");
  EXPECT_TRUE(told.conversations.empty());
  EXPECT_FALSE(told.list);
  gateway_->on_lineage({77, {}, {}, model::Lineage::Reason::start});
  EXPECT_TRUE(peer->got.empty()) << "it is known";
}

TEST_F(SessionTest, ACoreThatGoesOnFromAnOlderCopyEndsAll) {
  auto peer = welcomed("ann-phone");
  gateway_->on_other_history({{77, {}, {}, model::Lineage::Reason::start}});
  EXPECT_EQ(peer->closed->first, 4503);
  EXPECT_EQ(gateway_->branch(), "000000000000004d");
  // The same seen by positions alone: it begins below what was folded.
  auto again = welcomed("ann-phone");
  auto& number = numbers_[0];
  gateway_->on_down(0, {.stamp = {1, {}, {500}}, .number = number + 1, .previous = number, .frames = {}});
  ++number;
  gateway_->on_lineage({78, {500}, {}, model::Lineage::Reason::start});
  EXPECT_FALSE(again->closed);
  gateway_->on_lineage({79, {499}, {}, model::Lineage::Reason::start});
  EXPECT_EQ(again->closed->first, 4503);
}

TEST_F(SessionTest, DrainingAsksToMoveThenEndsAllAndTakesNobody) {
  auto peer = welcomed("ann-phone"), polite = welcomed("bob-phone");
  bool drained = false;
  gateway_->drain([&] { drained = true; });
  EXPECT_LE(peer->one<wire::Moved>().retry_ms, 5000u);
  auto late = connect();
  EXPECT_EQ(late->closed->first, 4503);
  polite->handler->on_closed(1000, "");
  executor_.advance(base::milliseconds(4900));
  EXPECT_FALSE(peer->closed);
  executor_.advance(base::milliseconds(200));
  EXPECT_EQ(peer->closed->first, 4503);
  EXPECT_TRUE(drained);
  EXPECT_EQ(gauge("tidings_gateway_sessions_parked"), 0);
}

TEST_F(SessionTest, ADrainEndsWhenAllAreGone) {
  auto peer = welcomed("ann-phone"), parked = welcomed("bob-phone");
  parked->handler->on_closed(1006, "");
  executor_.run();
  bool drained = false;
  gateway_->drain([&] { drained = true; });
  EXPECT_EQ(gauge("tidings_gateway_sessions_parked"), 0);
  peer->handler->on_closed(1000, "");
  EXPECT_FALSE(drained);
  executor_.run();
  EXPECT_TRUE(drained);
}

TEST_F(SessionTest, WhatWasUnderWayWhenTheGatewayGoesIsSafe) {
  auto peer = connect();
  peer->say(hello("ann-phone"));
  auto other = welcomed("bob-phone");
  other->say(wire::encode(wire::ConversationCreate{1, client_id(1), model::ConversationKind::direct, {ann}}));
  auto closing = welcomed("eve-phone");
  closing->say(wire::encode(wire::Bye{}));
  gateway_.reset();
  executor_.advance(base::seconds(5));
  EXPECT_EQ(gauge("tidings_gateway_sessions"), 0);
}

}  // namespace
}  // namespace tidings::gateway
