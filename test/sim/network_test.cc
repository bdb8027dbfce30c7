#include "test/sim/network.h"

#include <gtest/gtest.h>

namespace tidings::sim {
namespace {

using base::milliseconds;
using base::seconds;

struct Peer : ports::Transport::Handler {
  void on_frame(std::string_view frame) override { frames.emplace_back(frame); }
  void on_closed(uint16_t code, std::string_view reason) override {
    ++closed;
    last_code = code;
    last_reason = reason;
  }
  std::vector<std::string> frames;
  int closed = 0;
  uint16_t last_code = 0;
  std::string last_reason;
};

struct Wire : testing::Test {
  Wire() : scheduler(1), network(scheduler, Prng(2)) {
    std::tie(a, b) = network.make_pair(client, server);
    a->set_handler(&at_a);
    b->set_handler(&at_b);
  }
  Scheduler scheduler;
  SimExecutor& client = scheduler.make_process("client").make_executor();
  SimExecutor& server = scheduler.make_process("server").make_executor();
  Network network;
  std::unique_ptr<ports::Transport> a, b;
  Peer at_a, at_b;
};

TEST_F(Wire, carries_frames_whole_and_in_order_both_ways) {
  for (int i = 0; i < 100; ++i) {
    a->send(std::to_string(i));
    b->send(std::to_string(-i));
  }
  EXPECT_TRUE(at_b.frames.empty());
  scheduler.run_for(seconds(1));
  ASSERT_EQ(at_b.frames.size(), 100u);
  ASSERT_EQ(at_a.frames.size(), 100u);
  EXPECT_EQ(at_b.frames[42], "42");
  EXPECT_EQ(at_a.frames[42], "-42");
}

TEST_F(Wire, a_close_comes_behind_what_was_sent_and_both_sides_hear_it_once) {
  a->send("last");
  a->close(4409, "replaced");
  a->close(1000, "");
  a->send("dropped");
  scheduler.run_for(seconds(1));
  EXPECT_EQ(at_b.frames, std::vector<std::string>{"last"});
  EXPECT_EQ(at_b.closed, 1);
  EXPECT_EQ(at_b.last_code, 4409);
  EXPECT_EQ(at_b.last_reason, "replaced");
  EXPECT_EQ(at_a.closed, 1);
}

TEST_F(Wire, a_destroyed_end_cuts_and_hears_nothing_more) {
  b->send("too late");
  a.reset();
  scheduler.run_for(seconds(1));
  EXPECT_TRUE(at_a.frames.empty());
  EXPECT_EQ(at_a.closed, 0);
  EXPECT_EQ(at_b.closed, 1);
  EXPECT_EQ(at_b.last_code, 1006);
}

TEST_F(Wire, a_cut_loses_everything_from_some_point_on) {
  for (int i = 0; i < 200; ++i) {
    scheduler.after(milliseconds(i), [this, i] { a->send(std::to_string(i)); });
  }
  scheduler.after(milliseconds(50), [this] { network.cut_one(); });
  scheduler.run_for(seconds(10));
  ASSERT_GT(at_b.frames.size(), 20u);
  ASSERT_LT(at_b.frames.size(), 110u);
  for (size_t i = 0; i < at_b.frames.size(); ++i) EXPECT_EQ(at_b.frames[i], std::to_string(i));
}

TEST_F(Wire, a_client_loses_its_connection_and_the_next_welcome) {
  std::vector<std::unique_ptr<ports::Transport>> ends;
  network.listen({&server}, [&](size_t, auto transport) {
    transport->send("welcome");
    transport->send("more");
    ends.push_back(std::move(transport));
  });
  network.lose_next_welcome();
  scheduler.run_for(seconds(1));
  EXPECT_EQ(at_a.closed, 1);
  for (int i = 0; i < 2; ++i) {
    network.open(client, [&](auto transport) {
      transport->set_handler(&at_a);
      ends.push_back(std::move(transport));
    });
    scheduler.run_for(seconds(10));
  }
  EXPECT_EQ(at_a.frames, (std::vector<std::string>{"welcome", "more"})) << "of the second one";
  EXPECT_EQ(at_a.closed, 2);
}

TEST_F(Wire, a_dead_process_sends_nothing_and_hears_nothing) {
  client.process().kill();
  a->send("dead men");
  b->send("hello?");
  scheduler.run_for(seconds(1));
  EXPECT_TRUE(at_b.frames.empty());
  EXPECT_TRUE(at_a.frames.empty());
}

TEST_F(Wire, connects_are_refused_while_nobody_listens) {
  int refused = 0, accepted = 0;
  std::unique_ptr<ports::Transport> opened;
  network.open(client, [&](auto transport) { refused += !transport; });
  scheduler.run_for(seconds(1));
  network.listen({&server}, [&](size_t shard, auto transport) {
    EXPECT_EQ(shard, 0u);
    accepted += transport != nullptr;
    transport->set_handler(&at_b);
    b = std::move(transport);
  });
  network.open(client, [&](auto transport) {
    opened = std::move(transport);
    opened->send("hello");
  });
  scheduler.run_for(seconds(1));
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(accepted, 1);
  ASSERT_FALSE(at_b.frames.empty());
  EXPECT_EQ(at_b.frames.back(), "hello");
}

TEST_F(Wire, a_slow_connection_shows_its_outbox) {
  network.weather.slow_per_mille = 1000;
  network.listen({&server}, [&](size_t, auto transport) { b = std::move(transport); });
  std::unique_ptr<ports::Transport> opened;
  network.open(client, [&](auto transport) { opened = std::move(transport); });
  scheduler.run_for(milliseconds(100));
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->outbox_bytes(), 0u);
  for (int i = 0; i < 100; ++i) opened->send(std::string(1000, 'x'));
  EXPECT_GT(opened->outbox_bytes(), 90'000u);
  scheduler.run_for(seconds(60));
  EXPECT_EQ(opened->outbox_bytes(), 0u);
}

}  // namespace
}  // namespace tidings::sim
