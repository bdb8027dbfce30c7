#include <algorithm>

#include "gateway/sync_gather.h"
#include "test/gateway/fixture.h"

namespace tidings::gateway {
namespace {

using wire::Code;

class RequestsTest : public GatewayTest {};

TEST_F(RequestsTest, ASendBecomesACommandAndItsReplyTheOk) {
  auto peer = welcomed("ann-phone");
  down(0, {});
  time_.passed += base::seconds(2);
  auto send = send_of(5, 1, "hello");
  send.previous = client_id(9);
  peer->say(wire::encode(send));
  const auto commands = last_commands();
  ASSERT_EQ(commands.size(), 1u);
  const auto& command = commands[0];
  EXPECT_EQ(command.user, ann);
  EXPECT_EQ(command.device, ann_phone);
  EXPECT_EQ(command.conversation, talk());
  EXPECT_EQ(command.client_id, client_id(1));
  EXPECT_EQ(command.reply_to.gateway, gateway_->id());
  EXPECT_NE(command.reply_to.session, 0u);
  EXPECT_EQ(command.until, log_time_ + base::seconds(32));
  EXPECT_EQ(std::get<model::SendMessage>(command.body).message.text, "hello");
  EXPECT_EQ(std::get<model::SendMessage>(command.body).previous, client_id(9));
  down(ok(command, 121));
  const auto answer = peer->one<wire::Ok>();
  EXPECT_EQ(answer.request, 5u);
  EXPECT_EQ(answer.seq.value, 121u);
  EXPECT_EQ(answer.id.value, 121000u);
  down(ok(command, 121));
  EXPECT_TRUE(peer->got.empty()) << "one request has one answer";
}

TEST_F(RequestsTest, TheSmallerUntilCounts) {
  auto peer = welcomed("ann-phone");
  down(0, {});
  auto send = send_of(1, 1);
  send.until = log_time_ + base::seconds(3);
  peer->say(wire::encode(send));
  EXPECT_EQ(last_commands()[0].until, *send.until);
  send = send_of(2, 2);
  send.until = log_time_ + base::seconds(3000);
  peer->say(wire::encode(send));
  EXPECT_EQ(last_commands()[0].until, log_time_ + base::seconds(30));
}

TEST_F(RequestsTest, OkAndEventsKeepTheOrderOfTheLink) {
  auto peer = welcomed("ann-phone");
  peer->say(wire::encode(send_of(1, 1)));
  const auto command = last_commands()[0];
  std::vector<ports::DownFrame> frames;
  frames.emplace_back(live({ann, bob}, 0, R"({"type":"before"})"));
  frames.emplace_back(ok(command, 2));
  frames.emplace_back(live({ann, bob}, 0, R"({"type":"after"})"));
  down(shard_of(talk()), std::move(frames));
  const auto got = peer->take();
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(std::get<wire::UnknownFrame>(got[0]).type, "before");
  EXPECT_TRUE(std::holds_alternative<wire::Ok>(got[1]));
  EXPECT_EQ(std::get<wire::UnknownFrame>(got[2]).type, "after");
}

TEST_F(RequestsTest, AFirstSendCreatesAndSendsInOneAndOnlyItsErrorAnswers) {
  auto peer = welcomed("ann-phone");
  auto send = send_of(1, 1);
  send.conversation.reset();
  send.to = bob;
  peer->say(wire::encode(send));
  peer->say(wire::encode(send_of(2, 2)));
  EXPECT_TRUE(link().all<ports::Commands>().empty()) << "the person is looked up first, and later sends wait";
  executor_.run();
  const auto all = link().all<ports::Commands>();
  ASSERT_EQ(all.size(), 2u);
  const auto& first = all[0].commands;
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].conversation, talk());
  EXPECT_EQ(first[0].client_id, model::create_client_id(client_id(1)));
  EXPECT_TRUE(first[0].reply_to.errors_only);
  EXPECT_EQ(std::get<model::CreateConversation>(first[0].body).members, (std::vector{ann, bob}));
  EXPECT_FALSE(first[1].reply_to.errors_only);
  EXPECT_EQ(all[1].commands[0].client_id, client_id(2));
  down(ok(first[0], 1));
  EXPECT_TRUE(peer->got.empty());
  down(ok(first[1], 2));
  EXPECT_EQ(peer->one<wire::Ok>().seq.value, 2u);

  send = send_of(3, 3);
  send.conversation.reset();
  send.to = bob;
  peer->say(wire::encode(send));
  executor_.run();
  const auto failing = last_commands();
  down(refused(failing[0], Code::busy, true));
  down(refused(failing[1], Code::not_found, true));
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::busy);
}

TEST_F(RequestsTest, ACreateNeedsAnotherPersonWhoExists) {
  auto peer = welcomed("ann-phone");
  const auto create = [&](std::vector<model::UserId> members) {
    peer->say(
        wire::encode(wire::ConversationCreate{4, client_id(1), model::ConversationKind::direct, members}));
    executor_.run();
  };
  for (const auto& members : std::vector<std::vector<model::UserId>>{{}, {ann}, {ann, ann}, {bob, eve}}) {
    create(members);
    EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::bad_request);
  }
  create({{999}});
  const auto unknown = peer->one<wire::ErrorFrame>();
  EXPECT_EQ(unknown.code, Code::not_found);
  EXPECT_EQ(unknown.request, 4u);
  create({ann, bob});
  ASSERT_EQ(last_commands().size(), 1u);
  EXPECT_EQ(std::get<model::CreateConversation>(last_commands()[0].body).members, (std::vector{ann, bob}));
  down(ok(last_commands()[0], 1));
  EXPECT_EQ(peer->one<wire::Ok>().conversation, talk());
}

TEST_F(RequestsTest, WhatIsWrongWithARequestIsAnsweredAndTheSessionLives) {
  auto peer = welcomed("ann-phone");
  auto to_self = send_of(6, 1);
  to_self.conversation.reset();
  to_self.to = ann;
  auto to_nobody = to_self;
  to_nobody.to = model::UserId{999};
  const std::string uuid = model::to_text(talk()), id = model::to_text(client_id(1));
  const std::string zero = "00000000-0000-0000-0000-000000000000",
                    high = "ffffffff-ffff-ffff-ffff-ffffffffffff";
  const struct {
    std::string frame;
    Code code;
  } table[] = {
      {wire::encode(send_of(6, 1, "")), Code::bad_request},
      {wire::encode(send_of(6, 1, std::string(limits_.text_bytes_max + 1, 'x'))), Code::too_large},
      {wire::encode(to_self), Code::bad_request},
      {wire::encode(to_nobody), Code::not_found},
      {R"({"type":"message.send","request":6,"conversation":")" + uuid + R"(","client_id":"7","message":{}})",
       Code::bad_request},
      {R"({"type":"message.send","request":6,"conversation":")" + uuid + R"(","client_id":")" + id +
           R"(","message":{"kind":"text","text":"\ud800"}})",
       Code::bad_request},
      {R"({"type":"message.send","request":6,"conversation":")" + uuid + R"(","client_id":")" + id +
           R"(","message":{"kind":"poll","text":"x"}})",
       Code::unsupported},
      {R"({"type":"history","request":6})", Code::bad_request},
      {R"({"type":"poll","request":6})", Code::unsupported},
      {R"({"type":"pull","request":6,"conversation":")" + uuid + R"(","after":"0"})", Code::bad_request},
      {R"({"type":"sync","request":6,"from":")" + high + R"(","to":")" + zero + R"(","vector":[]})",
       Code::bad_request},
      {R"({"type":"conversation.create","request":6,"client_id":")" + id +
           R"(","kind":"channel","members":["2"]})",
       Code::unsupported},
  };
  for (const auto& bad : table) {
    peer->say(bad.frame);
    executor_.run();
    const auto error = peer->one<wire::ErrorFrame>();
    EXPECT_EQ(error.code, bad.code) << bad.frame.substr(0, 200);
    EXPECT_EQ(error.request, 6u) << bad.frame.substr(0, 200);
    EXPECT_FALSE(error.message.empty());
  }
  for (const char* ignored :
       {R"({"type":"typing"})", R"({"type":"pull"})", R"({"type":"ack","received":"x"})",
        R"({"type":"ack","received":3})", R"({"type":"mark"})", R"({"type":"focus"})", "[]"}) {
    peer->say(ignored);
  }
  EXPECT_TRUE(peer->got.empty());
  EXPECT_TRUE(link().all<ports::Commands>().empty());
  peer->say(R"({"type":"ping","received":7})");
  peer->one<wire::Pong>();
  EXPECT_EQ(metrics_.values()["tidings_gateway_refused_total{code=\"too_large\"}"], 1);
  peer->say(R"([{"type":"ping"},{}])");
  EXPECT_EQ(peer->take().size(), 2u) << "the frame before the bad one is kept";
  EXPECT_EQ(peer->closed->first, 4400);
}

TEST_F(RequestsTest, WhatNamesARefusedSendIsRefusedUntilThatComesAgain) {
  auto peer = welcomed("ann-phone");
  link().full = true;
  peer->say(wire::encode(send_of(1, 1)));
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::busy);
  link().full = false;
  auto second = send_of(2, 2);
  second.previous = client_id(1);
  peer->say(wire::encode(second));
  auto error = peer->one<wire::ErrorFrame>();
  EXPECT_EQ(error.code, Code::order);
  EXPECT_EQ(error.missing, client_id(1));
  auto third = send_of(3, 3);
  third.previous = client_id(2);
  peer->say(wire::encode(third));
  EXPECT_EQ(peer->one<wire::ErrorFrame>().missing, client_id(2));
  EXPECT_TRUE(link().all<ports::Commands>().empty());
  peer->say(wire::encode(send_of(4, 1)));
  peer->say(wire::encode(second));
  peer->say(wire::encode(third));
  EXPECT_EQ(link().all<ports::Commands>().size(), 3u);
}

TEST_F(RequestsTest, ARefusalOfTheCoreBeforeTheAppendCountsAsOneOfTheGateway) {
  auto peer = welcomed("ann-phone");
  peer->say(wire::encode(send_of(1, 1)));
  down(refused(last_commands()[0], Code::storage_full, false));
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::storage_full);
  auto second = send_of(2, 2);
  second.previous = client_id(1);
  peer->say(wire::encode(second));
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::order);
}

TEST_F(RequestsTest, ARefusalOfTheFoldIsPassedOnWithWhatIsMissing) {
  auto peer = welcomed("ann-phone");
  auto send = send_of(1, 1);
  send.previous = client_id(7);
  peer->say(wire::encode(send));
  auto reply = refused(last_commands()[0], Code::order, true);
  reply.missing = client_id(7);
  down(std::move(reply));
  EXPECT_EQ(peer->one<wire::ErrorFrame>().missing, client_id(7));
  auto second = send_of(2, 2);
  second.previous = client_id(1);
  peer->say(wire::encode(second));
  EXPECT_EQ(link().all<ports::Commands>().size(), 2u) << "the fold judges what it has seen";
}

TEST_F(RequestsTest, BeyondThirtyTwoUnansweredRequestsTheNextIsBusy) {
  auto peer = welcomed("ann-phone");
  for (uint8_t n = 1; n <= 32; ++n) peer->say(wire::encode(send_of(n, n)));
  EXPECT_TRUE(peer->got.empty());
  peer->say(wire::encode(send_of(33, 33)));
  EXPECT_EQ(peer->one<wire::ErrorFrame>().request, 33u);
  down(ok(link().all<ports::Commands>()[0].commands[0], 1));
  peer->take();
  peer->say(wire::encode(send_of(34, 34)));
  EXPECT_TRUE(peer->got.empty());
  EXPECT_EQ(gauge("tidings_gateway_requests_under_way"), 32);
}

TEST_F(RequestsTest, PullsAreAnsweredOneAfterAnotherAsPages) {
  auto peer = welcomed("ann-phone");
  peer->say(wire::encode(wire::PullFrame{1, talk(), {5}, model::Cursor{{5}, {55}}, 1000}));
  peer->say(wire::encode(wire::PullFrame{2, talk(), {0}, std::nullopt, 10}));
  auto pulls = link().all<ports::Pull>();
  ASSERT_EQ(pulls.size(), 1u);
  EXPECT_EQ(pulls[0].user, ann);
  EXPECT_EQ(pulls[0].after.value, 5u);
  EXPECT_EQ(pulls[0].check->id.value, 55u);
  EXPECT_EQ(pulls[0].limit, limits_.page_events_max);
  ports::Page page;
  page.conversation = talk();
  page.upto = {6};
  page.head = {9};
  page.more = true;
  down(ports::PageOut{pulls[0].query, page});
  const auto answer = peer->one<wire::PageFrame>();
  EXPECT_EQ(answer.request, 1u);
  EXPECT_EQ(answer.head.value, 9u);
  EXPECT_TRUE(answer.more);
  pulls = link().all<ports::Pull>();
  ASSERT_EQ(pulls.size(), 2u);
  EXPECT_EQ(pulls[1].limit, 10u);
  down(ports::PageOut{pulls[1].query, wire::problem(Code::diverged)});
  const auto error = peer->one<wire::ErrorFrame>();
  EXPECT_EQ(error.request, 2u);
  EXPECT_EQ(error.code, Code::diverged);
  link().full = true;
  peer->say(wire::encode(wire::PullFrame{3, talk(), {0}, std::nullopt, 10}));
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::busy);
}

TEST_F(RequestsTest, AClientOnASlowLinkGetsPageAfterPage) {
  auto peer = welcomed("ann-phone");
  peer->reads = false;
  for (wire::Request n = 1; n <= 2; ++n) peer->say(wire::encode(wire::PullFrame{n, talk(), {0}, {}, {}}));
  const auto asked = [&] { return link().all<ports::Pull>().size(); };
  ports::Page page;
  page.events.push_back("{\"y\":\"" + std::string(limits_.outbox_bytes_high, 'y') + "\"}");
  down(ports::PageOut{link().all<ports::Pull>().at(0).query, page});
  executor_.advance(base::seconds(5));
  EXPECT_EQ(asked(), 1u) << "the next is read once the page before it is taken";
  peer->unsent = limits_.outbox_bytes_high;
  executor_.advance(base::milliseconds(320));
  EXPECT_EQ(asked(), 2u);
  EXPECT_FALSE(peer->closed);
}

TEST_F(RequestsTest, AFastLinkGetsTheNextPageInTheNextTurn) {
  auto peer = welcomed("ann-phone");
  peer->reads = false;
  for (wire::Request n = 1; n <= 2; ++n) peer->say(wire::encode(wire::PullFrame{n, talk(), {0}, {}, {}}));
  ports::Page page;
  page.events.push_back("{\"y\":\"" + std::string(limits_.outbox_bytes_high, 'y') + "\"}");
  down(ports::PageOut{link().all<ports::Pull>().at(0).query, page});
  peer->unsent = 0;
  executor_.run();
  EXPECT_EQ(link().all<ports::Pull>().size(), 2u);
}

TEST_F(RequestsTest, AboveTheBoundTheNextPageWaitsForAnAck) {
  auto peer = welcomed("ann-phone");
  for (wire::Request n = 1; n <= 2; ++n) peer->say(wire::encode(wire::PullFrame{n, talk(), {0}, {}, {}}));
  ports::Page page;
  page.events.push_back("{\"y\":\"" + std::string(limits_.unacked_bytes_max, 'y') + "\"}");
  down(ports::PageOut{link().all<ports::Pull>().at(0).query, page});
  executor_.advance(base::seconds(5));
  EXPECT_EQ(link().all<ports::Pull>().size(), 1u);
  peer->say(wire::encode(wire::Ack{1}));
  EXPECT_EQ(link().all<ports::Pull>().size(), 2u);
}

// Ids whose owners differ, in growing order.
std::vector<model::ConversationId> ids_of(size_t shard, size_t count) {
  std::vector<model::ConversationId> out;
  for (uint16_t n = 1; out.size() < count; ++n) {
    model::ConversationId id;
    id.bytes[0] = static_cast<uint8_t>(n >> 8);
    id.bytes[1] = static_cast<uint8_t>(n);
    if (model::partition_of(id).value % 2 == shard) out.push_back(id);
  }
  return out;
}

TEST_F(RequestsTest, ASyncAsksEveryShardForItsPartAndMergesTheAnswers) {
  auto peer = welcomed("ann-phone");
  const auto even = ids_of(0, 3), odd = ids_of(1, 3);
  model::ConversationId last;
  last.bytes.fill(0xff);
  wire::SyncFrame sync{
      7, {}, last, {{odd[1], {{3}, {33}}}, {even[0], {{1}, {11}}}, {odd[1], {{9}, {99}}}, {odd[0], {}}}};
  peer->say(wire::encode(sync));
  ASSERT_EQ(links_[0].all<ports::Sync>().size(), 1u);
  const auto asked = links_[1].all<ports::Sync>().at(0);
  ASSERT_EQ(asked.vector.size(), 2u) << "sorted, own part only, a repeated row once";
  EXPECT_EQ(asked.vector[0].conversation, odd[0]);
  EXPECT_EQ(asked.vector[1].seq.value, 3u);

  const auto row = [](model::ConversationId id) {
    ports::SyncRow r;
    r.conversation = id;
    r.head = {4};
    r.head_id = {44};
    return r;
  };
  std::vector<ports::DownFrame> one, two;
  one.emplace_back(
      ports::SyncOut{asked.query, ports::SyncRows{{row(even[0]), row(even[1]), row(even[2])}, {}, {90}}});
  // The other shard was cut: what lies above is asked for again.
  const auto next = std::max(even[1], odd[1]);
  two.emplace_back(ports::SyncOut{asked.query, ports::SyncRows{{row(odd[0])}, next, {80}}});
  down(0, std::move(one));
  EXPECT_TRUE(peer->got.empty());
  down(1, std::move(two));
  const auto answer = peer->one<wire::SyncAnswer>();
  EXPECT_EQ(answer.request, 7u);
  EXPECT_EQ(answer.activity.value, 80u);
  EXPECT_TRUE(answer.more);
  EXPECT_EQ(answer.next, next);
  ASSERT_FALSE(answer.conversations.empty());
  EXPECT_TRUE(std::ranges::is_sorted(answer.conversations, {}, &wire::SyncedConversation::conversation));
  for (const auto& synced : answer.conversations) EXPECT_LT(synced.conversation, next);
  EXPECT_EQ(answer.conversations[0].head, (model::Cursor{{4}, {44}}));
}

TEST_F(RequestsTest, ASyncWithAnErrorOfOneShardIsAnErrorOnce) {
  auto peer = welcomed("ann-phone");
  model::ConversationId last;
  last.bytes.fill(0xff);
  peer->say(wire::encode(wire::SyncFrame{7, {}, last, {}}));
  const auto query = links_[0].all<ports::Sync>().at(0).query;
  std::vector<ports::DownFrame> one, two;
  one.emplace_back(ports::SyncOut{query, wire::problem(Code::busy)});
  two.emplace_back(ports::SyncOut{query, ports::SyncRows{}});
  down(0, std::move(one));
  down(1, std::move(two));
  EXPECT_EQ(peer->one<wire::ErrorFrame>().code, Code::busy);
  links_[1].full = true;
  peer->say(wire::encode(wire::SyncFrame{8, {}, last, {}}));
  EXPECT_EQ(peer->one<wire::ErrorFrame>().request, 8u);
}

TEST(SyncGatherTest, MoreRowsThanTheLimitAreCutAtTheNextOne) {
  SyncGather gather(2, 3);
  const auto even = ids_of(0, 2), odd = ids_of(1, 2);
  ports::SyncRows a, b;
  for (const auto id : even) a.rows.push_back({id});
  for (const auto id : odd) b.rows.push_back({id});
  EXPECT_FALSE(gather.add(a));
  EXPECT_TRUE(gather.add(b));
  auto whole = gather.take();
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->rows.size(), 3u);
  EXPECT_EQ(whole->next, std::max(even[1], odd[1]));
}

}  // namespace
}  // namespace tidings::gateway
