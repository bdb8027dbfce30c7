#include "test/sim/links.h"

#include <gtest/gtest.h>

namespace tidings::sim {
namespace {

using base::milliseconds;
using base::seconds;

struct Peer : net::MessageHandler {
  void on_message(std::string_view message) override { messages.emplace_back(message); }
  void on_turn_end() override { ++turns; }
  void on_closed() override { ++closed; }
  std::vector<std::string> messages;
  int turns = 0, closed = 0;
};

struct LinksTest : testing::Test {
  void SetUp() override {
    auto listening =
        links.listen_on(core)([this](net::MessageSocket socket) { accepted = std::move(socket); });
    ASSERT_TRUE(listening.ok());
    listener = std::move(*listening);
    auto connected = links.connect_from(gateway.process())();
    ASSERT_TRUE(connected.ok());
    a = (*connected)(gateway, at_a, 100'000);
    scheduler.run_for(seconds(1));
    ASSERT_TRUE(accepted);
  }
  void accept() { b = accepted(core, at_b, 100'000); }

  Scheduler scheduler{1};
  Links links{scheduler, Prng(2)};
  SimExecutor& gateway = scheduler.make_process("gateway").make_executor();
  SimExecutor& core = scheduler.make_process("core").make_executor();
  std::unique_ptr<net::MessageListener> listener;
  net::MessageSocket accepted;
  Peer at_a, at_b;
  std::unique_ptr<net::MessageStream> a, b;
};

TEST_F(LinksTest, WhatWasSaidBeforeItWasAcceptedIsKeptAndAllComesInOrder) {
  a->send("1");
  a->send("2");
  scheduler.run_for(seconds(1));
  accept();
  a->send("3");
  b->send("back");
  a->at_turn_end();
  scheduler.run_for(seconds(1));
  EXPECT_EQ(at_b.messages, (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(at_a.messages, (std::vector<std::string>{"back"}));
  EXPECT_EQ(at_a.turns, 1);
}

TEST_F(LinksTest, ADeadProcessIsHeardOfBehindWhatItWrote) {
  accept();
  a->send("written");
  scheduler.run_for(milliseconds(100));
  links.stall(gateway.process(), Links::Way::up, seconds(3));
  a->send("late");
  scheduler.run_for(milliseconds(100));
  a->send("never written");
  gateway.process().kill();
  a.reset();
  scheduler.run_for(seconds(2));
  EXPECT_EQ(at_b.messages, (std::vector<std::string>{"written"}));
  EXPECT_EQ(at_b.closed, 0);
  scheduler.run_for(seconds(2));
  EXPECT_EQ(at_b.messages, (std::vector<std::string>{"written", "late"}));
  EXPECT_EQ(at_b.closed, 1);
  b->send("to nobody");
  scheduler.run_for(seconds(1));
  EXPECT_EQ(at_b.closed, 1);
}

TEST_F(LinksTest, AStallIsOfOneWayAndEnds) {
  accept();
  links.stall(gateway.process(), Links::Way::up, seconds(20));
  a->send("up");
  b->send("down");
  scheduler.run_for(seconds(1));
  EXPECT_TRUE(at_b.messages.empty());
  EXPECT_EQ(at_a.messages.size(), 1u);
  links.end_stalls();
  scheduler.run_for(seconds(1));
  EXPECT_EQ(at_b.messages.size(), 1u);
  a->send("up again");
  scheduler.run_for(seconds(1));
  EXPECT_EQ(at_b.messages.size(), 2u);
}

TEST_F(LinksTest, ABreakLosesWhatIsOnItsWayAndBothHearOfIt) {
  accept();
  links.stall(gateway.process(), Links::Way::both, seconds(1));
  a->send("lost");
  scheduler.run_for(milliseconds(100));
  EXPECT_GT(a->unsent_bytes(), 0u);
  links.break_one(gateway.process());
  scheduler.run_for(seconds(3));
  EXPECT_TRUE(at_b.messages.empty());
  EXPECT_EQ(at_a.closed, 1);
  EXPECT_EQ(at_b.closed, 1);
}

TEST_F(LinksTest, ASocketGoesToAnotherThreadUnlessMoreHasCome) {
  accept();
  auto& other = core.process().make_executor();
  auto moved = b->release();
  ASSERT_TRUE(moved);
  b.reset();
  Peer there;
  auto stream = moved(other, there, 100'000);
  a->send("hello");
  scheduler.run_for(seconds(1));
  EXPECT_EQ(there.messages.size(), 1u);
  EXPECT_EQ(at_b.closed + there.closed, 0);
  stream->send("unsent");
  EXPECT_FALSE(stream->release());
  scheduler.run_for(seconds(1));
  EXPECT_EQ(at_a.closed, 1);
}

TEST_F(LinksTest, WhatIsTooLongEndsItAndNobodyListensBehindAListenerThatIsGone) {
  b = accepted(core, at_b, 10);
  a->send("far too long");
  scheduler.run_for(seconds(1));
  EXPECT_EQ(at_b.closed, 1);
  EXPECT_EQ(at_a.closed, 1);
  EXPECT_TRUE(at_b.messages.empty());
  listener.reset();
  EXPECT_FALSE(links.connect_from(gateway.process())().ok());
}

}  // namespace
}  // namespace tidings::sim
