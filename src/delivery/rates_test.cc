// The rate of a conversation, and what the shard measures.
#include <gtest/gtest.h>

#include "delivery/shard_for_test.h"

namespace tidings::delivery {
namespace {

using wire::Code;

class ShardRatesTest : public ShardTest {
 protected:
  ShardRatesTest() {
    limits.conversation_commands = {1, std::chrono::seconds(1), 3};
    restart();
  }
  // What is refused before the append.
  ports::Reply refused(model::Command command) {
    up(ports::Commands{{std::move(command)}});
    EXPECT_TRUE(log.appended.empty());
    auto replies = a.take<ports::Reply>();
    EXPECT_EQ(replies.size(), 1u);
    return replies.empty() ? ports::Reply{} : replies.front();
  }
};

TEST_F(ShardRatesTest, AConversationHasARateAndOthersHaveTheirs) {
  EXPECT_FALSE(run(create(ann, bob)).error);
  EXPECT_FALSE(run(send(ann, bob, 2)).error);
  EXPECT_FALSE(run(send(bob, ann, 3)).error);
  const auto reply = refused(send(ann, bob, 4));
  EXPECT_EQ(reply.error, Code::rate_limited);
  EXPECT_FALSE(reply.appended);
  // Nor who sends the same again.
  EXPECT_EQ(refused(send(ann, bob, 2)).error, Code::rate_limited);
  EXPECT_EQ(metrics.values().at("tidings_delivery_rate_limited_total"), 2);
  EXPECT_FALSE(run(create(ann, eve, 10)).error);
  EXPECT_EQ(metrics.values().at("tidings_delivery_rate_buckets"), 2);

  clock.now += std::chrono::seconds(1);
  const auto late = run(send(ann, bob, 4));
  EXPECT_FALSE(late.error);
  EXPECT_EQ(late.seq.value, 4u) << "nothing of the refused ones may be in the log";
  clock.now += std::chrono::seconds(10);
  flush();
  EXPECT_EQ(metrics.values().at("tidings_delivery_rate_buckets"), 0);
}

TEST_F(ShardRatesTest, CommandsThatTravelTogetherAreRefusedTogether) {
  EXPECT_FALSE(run(create(ann, bob)).error);
  EXPECT_FALSE(run(send(ann, bob, 2)).error);
  up(ports::Commands{{send(ann, bob, 3), send(ann, bob, 4)}});
  EXPECT_TRUE(log.appended.empty());
  EXPECT_EQ(a.take<ports::Reply>().size(), 2u);
  EXPECT_FALSE(run(send(ann, bob, 5)).error);
}

TEST_F(ShardRatesTest, ACommandIsTimedIntoTheLogAndBack) {
  auto& took = metrics.histogram("tidings_delivery_send_to_durable_seconds");
  up(ports::Attach{bob});
  up(ports::Commands{{create(ann, bob)}});
  clock.now += std::chrono::milliseconds(2);
  up(ports::Commands{{send(ann, bob, 2)}});
  clock.now += std::chrono::milliseconds(3);
  make_durable();
  settle();
  EXPECT_EQ(took.count(), 2u);
  EXPECT_EQ(took.sum(), std::chrono::milliseconds(5 + 3));
  for (const auto& reply : a.take<ports::Reply>()) EXPECT_EQ(reply.durable, clock.monotonic());
  for (const auto& event : a.take<ports::EventOut>()) EXPECT_EQ(event.folded, clock.monotonic());
  // What another run appended is not measured.
  restart();
  EXPECT_EQ(took.count(), 2u);
}

TEST_F(ShardRatesTest, WhatWaitsIsSeen) {
  limits.overtaking_records_max = 1;
  limits.conversation_commands = {};
  restart();
  run(create(ann, bob));
  flush_all();
  restart();  // the state is not in memory
  for (uint64_t id = 2; id <= 5; ++id) up(ports::Commands{{send(ann, bob, id)}});
  make_durable();
  EXPECT_EQ(metrics.values().at("tidings_delivery_loads_in_flight"), 1);
  EXPECT_EQ(metrics.values().at("tidings_delivery_overtaking_records"), 1);
  EXPECT_EQ(metrics.values().at("tidings_delivery_undispatched_records"), 3);
  EXPECT_GT(metrics.values().at("tidings_delivery_undispatched_bytes"), 0);
  settle();
  flush();
  for (const char* name : {"loads_in_flight", "overtaking_records", "undispatched_records",
                           "undispatched_bytes", "unflushed_records", "queries_under_way"}) {
    EXPECT_EQ(metrics.values().at(std::string("tidings_delivery_") + name), 0) << name;
  }
}

}  // namespace
}  // namespace tidings::delivery
