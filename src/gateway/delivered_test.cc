// Counted frames, acks, marks, receipts and focus of sessions.
#include "test/gateway/fixture.h"

namespace tidings::gateway {
namespace {

using wire::Code;

class DeliveredTest : public GatewayTest {
 protected:
  static std::string ack(uint64_t received) { return wire::encode(wire::Ack{received}); }
  std::vector<ports::Mark> marks() { return link().all<ports::Mark>(); }
  void event(uint64_t seq, model::UserId from = bob) {
    down(live({ann, bob}, 0, R"({"type":"what"})", seq, from));
  }
  // Answers the newest sync: nothing is new but the listed ones.
  void answer_sync(std::vector<model::ConversationId> listed = {}) {
    for (size_t shard = 0; shard < 2; ++shard) {
      ports::SyncRows rows;
      for (const auto& id : listed) {
        if (shard_of(id) == shard) rows.rows.push_back({id});
      }
      down_one(shard, ports::SyncOut{links_[shard].all<ports::Sync>().back().query, std::move(rows)});
    }
  }
  // Welcomed, and its one sync is complete: one counted frame.
  std::shared_ptr<Peer> synced(std::string token = "ann-phone",
                               std::vector<model::ConversationId> listed = {}) {
    auto peer = welcomed(std::move(token));
    peer->say(wire::encode(wire::SyncFrame{1, {}, last_id(), {}, {}}));
    answer_sync(std::move(listed));
    peer->got.clear();
    return peer;
  }
  void pull(Peer& peer, uint64_t upto, bool more) {
    peer.say(wire::encode(wire::PullFrame{2, talk(), {0}, {}, {}}));
    ports::Page page;
    page.conversation = talk();
    page.upto = {upto};
    page.more = more;
    down(ports::PageOut{link().all<ports::Pull>().back().query, page});
  }
};

TEST_F(DeliveredTest, AnAckOfALiveEventBecomesAMark) {
  auto peer = synced();
  event(5);
  peer->say(ack(1));
  EXPECT_TRUE(marks().empty()) << "that is the sync alone";
  peer->say(ack(2));
  ASSERT_EQ(marks().size(), 1u);
  const auto mark = marks()[0];
  EXPECT_EQ(mark.marking.user, ann);
  EXPECT_EQ(mark.marking.conversation, talk());
  EXPECT_EQ(mark.marking.delivered.value, 5u);
  EXPECT_EQ(mark.marking.read.value, 0u);
  EXPECT_FALSE(mark.read_id);
  EXPECT_EQ(mark.marking.reply_to.gateway, gateway_->id());
  EXPECT_EQ(mark.marking.reply_to.session, 0u);
  EXPECT_EQ(gauge("tidings_gateway_marks_waiting"), 1);
  down(answer(mark));
  executor_.advance(base::seconds(2));
  EXPECT_EQ(gauge("tidings_gateway_marks_waiting"), 0);
  EXPECT_EQ(gauge("tidings_gateway_requests_under_way"), 0);
}

TEST_F(DeliveredTest, AnAckWithinWhatWasWrittenInOnePieceIsNoMarkOfItsEnd) {
  auto peer = synced();
  std::vector<model::UserId> people{ann, bob};
  for (uint64_t i = 0; i < 20; ++i) people.push_back({1000 + i});
  std::vector<ports::DownFrame> batch;
  for (uint64_t seq = 5; seq <= 8; ++seq) batch.push_back(live(people, 0, R"({"type":"what"})", seq));
  down(shard_of(talk()), std::move(batch));
  ASSERT_EQ(peer->shared, 4u);
  peer->say(ack(4));
  for (const auto& mark : marks()) EXPECT_LE(mark.marking.delivered.value, 7u);
  peer->say(ack(5));
  ASSERT_FALSE(marks().empty());
  EXPECT_EQ(marks().back().marking.delivered.value, 8u);
}

TEST_F(DeliveredTest, AMarkDoesNotWaitForWhatStandsBehindItInOnePiece) {
  auto peer = synced();
  const auto other = model::direct_conversation(ann, eve);
  std::vector<model::UserId> people{ann, bob};
  for (uint64_t i = 0; i < 20; ++i) people.push_back({1000 + i});
  std::vector<ports::DownFrame> batch;
  batch.push_back(live(people, 0, R"({"type":"what"})", 5));
  batch.push_back(ports::EventOut{other, {7}, bob, people, 0, R"({"type":"what"})"});
  batch.push_back(live(people, 0, R"({"type":"what"})", 6));
  down(shard_of(talk()), std::move(batch));
  ASSERT_EQ(peer->shared, 3u);
  peer->say(ack(3));
  ASSERT_EQ(marks().size(), 1u);
  EXPECT_EQ(marks()[0].marking.conversation, other);
  EXPECT_EQ(marks()[0].marking.delivered.value, 7u);
  peer->say(ack(4));
  ASSERT_EQ(marks().size(), 2u);
  EXPECT_EQ(marks()[1].marking.delivered.value, 6u);
}

TEST_F(DeliveredTest, EveryFrameButWelcomeAndPongIsCounted) {
  auto peer = welcomed("ann-phone");
  peer->say(R"({"type":"ping"})");
  peer->say(R"({"type":"nonsense","request":3})");  // 1: an error
  peer->say(wire::encode(wire::SyncFrame{1, {}, last_id(), {}, {}}));
  answer_sync();                                                     // 2
  down(ports::ReceiptOut{talk(), {ann}, false, R"({"type":"r"})"});  // 3
  peer->say(wire::encode(send_of(1, 1)));
  down(ok(last_commands()[0], 4));  // 4
  event(5);                         // 5
  uint64_t counted = 0;
  for (const auto& text : peer->got) counted += wire::parse_server_frames(text).counted;
  EXPECT_EQ(counted, 5u);
  peer->say(ack(4));
  EXPECT_TRUE(marks().empty());
  peer->say(R"({"type":"ping","received":5})");
  EXPECT_EQ(marks().size(), 1u) << "any frame may carry it";
}

TEST_F(DeliveredTest, AnAckOfWhatWasNeverSentIsABadRequestAndCountsForNothing) {
  auto peer = synced();
  event(5);
  peer->got.clear();
  peer->say(ack(3));
  const auto error = peer->one<wire::ErrorFrame>();
  EXPECT_EQ(error.code, Code::bad_request);
  EXPECT_FALSE(error.request);
  EXPECT_FALSE(peer->closed);
  EXPECT_TRUE(marks().empty());
  peer->say(ack(2));
  EXPECT_EQ(marks().size(), 1u);
  peer->say(ack(1));
  EXPECT_TRUE(peer->got.empty()) << "an older one is old, not wrong";
}

TEST_F(DeliveredTest, OnesOwnMessagesNeedNoMark) {
  auto peer = synced();
  event(5, ann);
  peer->say(ack(2));
  EXPECT_TRUE(marks().empty());
  const auto own = model::self_conversation(ann);
  down_one(shard_of(own), ports::EventOut{own, {1}, bob, {ann}, 0, R"({"type":"what"})"});
  peer->say(ack(3));
  EXPECT_TRUE(asked<ports::Mark>().empty()) << "nor does one's own log";
}

// With history "all" everything below the joining event is for who joins, and nothing of it has come.
TEST_F(DeliveredTest, WhoJoinsNeedsAPullToItsEnd) {
  auto peer = synced();
  auto joining = live({ann}, 0, R"({"type":"what"})", 5);
  joining.joined = {ann};
  down(joining);
  event(6);
  peer->say(ack(3));
  EXPECT_TRUE(marks().empty());
  pull(*peer, 6, false);
  peer->say(ack(4));
  ASSERT_EQ(marks().size(), 1u);
  EXPECT_EQ(marks()[0].marking.delivered.value, 6u);
}

TEST_F(DeliveredTest, WhatTheSyncListedNeedsAPullToItsEnd) {
  auto peer = synced("ann-phone", {talk()});
  event(5);
  peer->say(ack(2));
  EXPECT_TRUE(marks().empty());
  pull(*peer, 3, true);
  peer->say(ack(3));
  EXPECT_TRUE(marks().empty()) << "there is more";
  pull(*peer, 5, false);
  peer->say(ack(4));
  ASSERT_EQ(marks().size(), 1u);
  EXPECT_EQ(marks()[0].marking.delivered.value, 5u);
}

TEST_F(DeliveredTest, APageOfHistoryProvesNothing) {
  auto peer = synced("ann-phone", {talk()});
  peer->say(wire::encode(wire::HistoryFrame{2, talk(), wire::HistoryPlace::before, {100}, {}, {}}));
  ports::Page page;
  page.conversation = talk();
  page.from = {90};
  page.upto = {99};
  down(ports::PageOut{link().all<ports::History>().at(0).query, page});
  peer->one<wire::PageFrame>();
  event(100);
  peer->say(ack(3));
  EXPECT_TRUE(marks().empty());
}

TEST_F(DeliveredTest, BeforeTheFirstSyncIsCompleteNothingIsMarkedAndThenItIs) {
  auto peer = welcomed("ann-phone");
  event(5);
  peer->say(ack(1));
  EXPECT_TRUE(marks().empty());
  peer->say(wire::encode(wire::SyncFrame{1, {}, last_id(), {}, {}}));
  answer_sync();
  ASSERT_EQ(marks().size(), 1u);
  EXPECT_EQ(marks()[0].marking.delivered.value, 5u);
}

TEST_F(DeliveredTest, AMarkOutlivesItsSessionAndALostLink) {
  auto peer = synced();
  event(5);
  peer->say(ack(2));
  ASSERT_EQ(marks().size(), 1u);
  ++numbers_[1];
  down(1, {});
  executor_.advance(base::seconds(1));
  ASSERT_EQ(marks().size(), 2u);
  EXPECT_EQ(marks()[1].marking.delivered.value, 5u);
  down(answer(marks()[0]));
  executor_.advance(base::seconds(2));
  EXPECT_EQ(gauge("tidings_gateway_marks_waiting"), 1) << "the first question is forgotten";
  down(answer(marks()[1]));
  EXPECT_EQ(gauge("tidings_gateway_marks_waiting"), 0);
}

// --- marks that clients tell

TEST_F(DeliveredTest, AMarkIsPassedOnAndAnsweredOnlyIfAsked) {
  auto peer = welcomed("ann-phone");
  peer->say(wire::encode(wire::MarkFrame{9, talk(), model::Cursor{{7}, {70}}, {6}, model::Seq{8}, true}));
  auto mark = marks().at(0);
  EXPECT_EQ(mark.marking.user, ann);
  EXPECT_EQ(mark.marking.read.value, 7u);
  EXPECT_EQ(mark.marking.read_ord.value, 6u);
  EXPECT_EQ(mark.marking.delivered.value, 8u);
  EXPECT_TRUE(mark.marking.hidden);
  EXPECT_EQ(mark.read_id->value, 70u);
  down(answer(mark));
  const auto ok = peer->one<wire::Ok>();
  EXPECT_EQ(ok.request, 9u);
  EXPECT_EQ(ok.seq.value, 77u);
  peer->say(wire::encode(wire::MarkFrame{9, talk(), model::Cursor{{7}, {71}}, {6}, {}}));
  down(answer(marks().at(1), Code::diverged));
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::diverged);
  peer->say(wire::encode(wire::MarkFrame{{}, talk(), {}, {}, model::Seq{9}}));
  EXPECT_FALSE(marks().at(2).read_id);
  down(answer(marks().at(2), Code::diverged));
  EXPECT_TRUE(peer->got.empty());
}

TEST_F(DeliveredTest, MarksInFlightAreBounded) {
  auto peer = welcomed("ann-phone");
  const auto say = [&](std::optional<wire::Request> request) {
    peer->say(wire::encode(wire::MarkFrame{request, talk(), {}, {}, model::Seq{9}}));
  };
  for (int i = 0; i < 32; ++i) say({});
  EXPECT_EQ(marks().size(), 32u);
  say({});
  EXPECT_TRUE(peer->got.empty());
  say(4);
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::busy);
  EXPECT_EQ(marks().size(), 32u);
  peer->say(wire::encode(send_of(5, 1)));
  EXPECT_EQ(last_commands().size(), 1u) << "sends have their own bound";
  down(answer(marks()[0]));
  link().full = true;
  say(6);
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::busy);
  link().full = false;
  say({});
  EXPECT_EQ(marks().size(), 33u);
}

TEST_F(DeliveredTest, AMarkThatTellsNothingIsABadRequest) {
  auto peer = welcomed("ann-phone");
  peer->say(wire::encode(wire::MarkFrame{4, talk(), {}, {}, {}}));
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::bad_request);
  EXPECT_TRUE(marks().empty());
}

// --- receipts and focus

TEST_F(DeliveredTest, ReceiptsGoToThePeoplesSessionsOrOnlyToThoseThatLook) {
  auto phone = welcomed("ann-phone"), laptop = welcomed("ann-laptop"), other = welcomed("bob-phone");
  const std::string bytes = R"({"type":"receipt","odd": 1})";
  down(ports::ReceiptOut{talk(), {ann}, false, bytes});
  EXPECT_EQ(phone->got, std::vector{bytes});
  EXPECT_EQ(laptop->got, std::vector{bytes});
  EXPECT_TRUE(other->got.empty());
  phone->got.clear();
  laptop->got.clear();
  phone->say(wire::encode(wire::FocusFrame{talk()}));
  laptop->say(wire::encode(wire::FocusFrame{model::self_conversation(ann)}));
  down(ports::ReceiptOut{talk(), {ann, bob}, true, bytes});
  EXPECT_EQ(phone->got, std::vector{bytes});
  EXPECT_TRUE(laptop->got.empty());
  EXPECT_TRUE(other->got.empty());
}

TEST_F(DeliveredTest, TheCoreHearsOfThePersonsFirstLookAndOfTheLast) {
  auto phone = welcomed("ann-phone"), laptop = welcomed("ann-laptop");
  const auto looks = [&] {
    std::vector<bool> out;
    for (const auto& focus : link().all<ports::Focus>()) {
      EXPECT_EQ(focus.user, ann);
      EXPECT_EQ(focus.conversation, talk());
      out.push_back(focus.looks);
    }
    return out;
  };
  phone->say(wire::encode(wire::FocusFrame{talk()}));
  phone->say(wire::encode(wire::FocusFrame{talk()}));
  laptop->say(wire::encode(wire::FocusFrame{talk()}));
  EXPECT_EQ(looks(), std::vector{true});
  phone->say(wire::encode(wire::FocusFrame{}));
  EXPECT_EQ(looks(), std::vector{true});
  laptop->say(wire::encode(wire::Bye{}));
  EXPECT_EQ(looks(), (std::vector{true, false}));
  executor_.run();
  EXPECT_TRUE(links_[0].all<ports::Detach>().empty());
}

TEST_F(DeliveredTest, AFocusThatAFullLinkDidNotTakeIsToldLater) {
  auto peer = welcomed("ann-phone");
  const auto focuses = [&] { return link().all<ports::Focus>(); };
  link().full = true;
  peer->say(wire::encode(wire::FocusFrame{model::direct_conversation(ann, eve)}));
  peer->say(wire::encode(wire::FocusFrame{talk()}));
  link().full = false;
  executor_.advance(base::seconds(1));
  ASSERT_EQ(focuses().size(), 1u);
  EXPECT_TRUE(focuses()[0].looks);
  EXPECT_EQ(focuses()[0].conversation, talk());
  link().full = true;
  peer->say(wire::encode(wire::Bye{}));
  executor_.run();
  link().full = false;
  executor_.advance(base::seconds(1));
  ASSERT_EQ(focuses().size(), 2u);
  EXPECT_FALSE(focuses()[1].looks);
}

// --- reads

TEST_F(DeliveredTest, AHistoryIsAskedAndAnsweredAsAPage) {
  auto peer = welcomed("ann-phone");
  peer->say(wire::encode(
      wire::HistoryFrame{3, talk(), wire::HistoryPlace::around, {40}, model::Cursor{{50}, {500}}, 1000}));
  peer->say(wire::encode(wire::HistoryFrame{4, talk(), wire::HistoryPlace::after, {40}, {}, {}}));
  const auto first = link().all<ports::History>().at(0);
  EXPECT_EQ(first.user, ann);
  EXPECT_EQ(first.where, ports::History::Where::around);
  EXPECT_EQ(first.seq.value, 40u);
  EXPECT_EQ(first.have, (model::Cursor{{50}, {500}}));
  EXPECT_EQ(first.limit, limits_.page_events_max);
  ports::Page page;
  page.conversation = talk();
  page.from = {35};
  page.upto = {45};
  page.head = {60};
  page.earlier = page.more = true;
  page.counts = {{{44}, 2, 3}};
  page.members = 40;
  down(ports::PageOut{first.query, page});
  const auto answer = peer->one<wire::PageFrame>();
  EXPECT_EQ(answer.request, 3u);
  EXPECT_EQ(answer.from.value, 35u);
  EXPECT_TRUE(answer.earlier && answer.more);
  EXPECT_EQ(answer.counts, page.counts);
  EXPECT_EQ(answer.members, 40u);
  const auto second = link().all<ports::History>().at(1);
  EXPECT_EQ(second.where, ports::History::Where::after);
  EXPECT_EQ(second.limit, 50u);
}

TEST_F(DeliveredTest, ASyncOfChangesCarriesItsCursorAndAVectorItsMarkCounts) {
  auto peer = welcomed("ann-phone");
  peer->say(wire::encode(
      wire::SyncFrame{1, {}, last_id(), {{talk(), {{4}, {40}}, 17}}, model::Position{1ull << 60}}));
  const auto sync = link().all<ports::Sync>().at(0);
  EXPECT_EQ(sync.activity->value, 1ull << 60);
  ASSERT_EQ(sync.vector.size(), 1u);
  EXPECT_EQ(sync.vector[0].mark_count, 17u);
  ports::SyncRow row{talk()};
  row.kind = model::ConversationKind::group;
  row.title = "hikers";
  row.role = model::Role::admin;
  row.left = true;
  row.members = 40;
  row.read_ord = {3};
  down_one(1 - shard_of(talk()), ports::SyncOut{sync.query, ports::SyncRows{}});
  down(ports::SyncOut{sync.query, ports::SyncRows{{row}, {}, {9}}});
  const auto answer = peer->one<wire::SyncAnswer>();
  ASSERT_EQ(answer.conversations.size(), 1u);
  const auto& synced = answer.conversations[0];
  EXPECT_EQ(synced.kind, model::ConversationKind::group);
  EXPECT_EQ(synced.title, "hikers");
  EXPECT_EQ(synced.role, model::Role::admin);
  EXPECT_TRUE(synced.left);
  EXPECT_EQ(synced.members, 40u);
  EXPECT_EQ(synced.read_ord.value, 3u);
}

}  // namespace
}  // namespace tidings::gateway
