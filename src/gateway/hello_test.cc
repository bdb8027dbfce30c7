#include "gateway/branches.h"
#include "test/gateway/fixture.h"

namespace tidings::gateway {
namespace {

using Reason = model::Lineage::Reason;

model::Lineage lineage(uint64_t tag, Reason reason = Reason::start) {
  return {tag, {tag * 10}, {}, reason};
}

TEST(BranchesTest, ABranchHoldsUntilARestoreOrAPromotion) {
  Branches branches;
  for (const auto& l : {lineage(1), lineage(2), lineage(2), lineage(3, Reason::restore), lineage(4)})
    branches.add(l);
  EXPECT_FALSE(branches.holds("0000000000000001"));
  EXPECT_FALSE(branches.holds("0000000000000002"));
  EXPECT_TRUE(branches.holds("0000000000000003")) << "after it, not with it";
  EXPECT_TRUE(branches.holds("0000000000000004"));
  EXPECT_FALSE(branches.holds("0000000000000005"));
  EXPECT_FALSE(branches.holds(""));
  branches.add(lineage(6, Reason::promotion));
  EXPECT_FALSE(branches.holds("0000000000000004"));
}

class HelloTest : public GatewayTest {
 protected:
  HelloTest() {
    lineages_ = {lineage(1), lineage(2)};
    make();
  }
  static std::string hello(std::optional<std::string> branch, std::optional<model::Cursor> newest) {
    wire::Hello hello;
    hello.token = "ann-phone";
    hello.branch = std::move(branch);
    if (newest) hello.newest = wire::Hello::Newest{talk(), *newest};
    return wire::encode(hello);
  }
  std::shared_ptr<Peer> greeting(std::optional<std::string> branch, std::optional<model::Cursor> newest) {
    auto peer = connect();
    peer->say(hello(std::move(branch), newest));
    executor_.run();
    return peer;
  }
  uint64_t query() { return link().all<ports::AskEvent>().at(0).query; }

  const std::string branch_ = "0000000000000001";
  const model::Cursor newest_{{5}, {55}};
};

TEST_F(HelloTest, AKnownBranchAndAnEventThatIsThereNeedOnlyTheChanges) {
  auto peer = greeting(branch_, newest_);
  EXPECT_TRUE(peer->got.empty()) << "the core is asked before the welcome";
  const auto question = link().all<ports::AskEvent>().at(0);
  EXPECT_EQ(question.user, ann);
  EXPECT_EQ(question.conversation, talk());
  EXPECT_EQ(question.event, newest_);
  down(ports::EventThereOut{question.query, true});
  EXPECT_EQ(peer->one<wire::Welcome>().sync, "changes");
}

TEST_F(HelloTest, WhateverIsUnknownOrGoneNeedsEverything) {
  for (const auto& peer : {greeting({}, newest_), greeting(branch_, {}), greeting("00", newest_)}) {
    const auto frames = peer->take();
    ASSERT_FALSE(frames.empty());
    EXPECT_EQ(std::get<wire::Welcome>(frames[0]).sync, "full");
  }
  EXPECT_TRUE(link().all<ports::AskEvent>().empty());
  auto gone = greeting(branch_, newest_);
  down(ports::EventThereOut{query(), false});
  EXPECT_EQ(gone->one<wire::Welcome>().sync, "full");
}

TEST_F(HelloTest, ARefusalOfTheCoreAFullLinkAndNoAnswerInTwoSecondsNeedEverything) {
  auto refused = greeting(branch_, newest_);
  down(ports::EventThereOut{query(), wire::problem(wire::Code::busy)});
  EXPECT_EQ(refused->one<wire::Welcome>().sync, "full");
  link().frames.clear();
  auto late = greeting(branch_, newest_);
  executor_.advance(base::seconds(1));
  EXPECT_TRUE(late->got.empty());
  executor_.advance(base::seconds(2));
  EXPECT_EQ(late->one<wire::Welcome>().sync, "full");
  down(ports::EventThereOut{query(), true});
  EXPECT_TRUE(late->got.empty()) << "there is one welcome";
}

TEST_F(HelloTest, ALineageThatComesLaterCounts) {
  gateway_->on_lineage(lineage(3, Reason::restore));
  EXPECT_EQ(greeting(branch_, newest_)->one<wire::Welcome>().sync, "full");
  auto peer = greeting("0000000000000003", newest_);
  down(ports::EventThereOut{query(), true});
  EXPECT_EQ(peer->one<wire::Welcome>().sync, "changes");
}

TEST_F(HelloTest, FramesAndEventsWaitOrFallWhileTheCoreIsAsked) {
  auto peer = greeting(branch_, newest_);
  peer->say(wire::encode(send_of(1, 1)));
  down(live({ann}, 0, R"({"type":"what"})"));
  EXPECT_TRUE(link().all<ports::Commands>().empty());
  EXPECT_TRUE(peer->got.empty());
  down(ports::EventThereOut{query(), true});
  peer->one<wire::Welcome>();
  EXPECT_EQ(link().all<ports::Commands>().size(), 1u);
}

TEST_F(HelloTest, ADeviceThatIsLoggedOutWhileTheCoreIsAskedIsNotWelcomed) {
  auto peer = greeting(branch_, newest_);
  service_.log_out("ann-phone", executor_, [](wire::Answer<void> done) { EXPECT_TRUE(done.ok()); });
  executor_.run();
  ASSERT_TRUE(peer->closed);
  EXPECT_EQ(peer->closed->first, 4403);
  down(ports::EventThereOut{query(), true});
  EXPECT_EQ(links_[0].all<ports::Detach>().size(), 1u);
  EXPECT_EQ(gauge("tidings_gateway_sessions"), 0);
}

TEST_F(HelloTest, ALaterHelloReplacesOneThatIsNotWelcomedYet) {
  auto older = greeting(branch_, newest_);
  auto newer = greeting({}, {});
  EXPECT_EQ(older->closed->first, 4409);
  EXPECT_FALSE(newer->closed);
  newer->one<wire::Welcome>();
}

TEST_F(HelloTest, TheWelcomeTellsTheLimitsOfGroupsAndSyncs) {
  const auto welcome = greeting({}, {})->one<wire::Welcome>();
  EXPECT_EQ(welcome.sync_rows_max, limits_.sync_rows_max);
  EXPECT_EQ(welcome.members_max, 1024u);
  EXPECT_EQ(welcome.title_bytes_max, limits_.title_bytes_max);
}

}  // namespace
}  // namespace tidings::gateway
