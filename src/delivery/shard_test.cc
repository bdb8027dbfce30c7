#include "delivery/shard_for_test.h"

namespace tidings::delivery {
namespace {

TEST_F(ShardTest, NothingIsAnsweredBeforeTheRecordIsDurable) {
  up(ports::Commands{{create(ann, bob)}});
  settle();
  EXPECT_TRUE(a.frames.empty());
  make_durable();
  settle();
  EXPECT_EQ(a.take<ports::Reply>().size(), 1u);
}

TEST_F(ShardTest, AnEventGoesOnceToEachGatewayWithAMemberAndNotToTheSendingSession) {
  up(ports::Attach{ann});
  up(ports::Attach{bob}, gateway_b);
  up(ports::Attach{eve}, gateway_b);
  run(create(ann, bob));
  run(send(ann, bob, 2));
  const auto at_a = a.take<ports::EventOut>(), at_b = b.take<ports::EventOut>();
  ASSERT_EQ(at_a.size(), 2u);
  ASSERT_EQ(at_b.size(), 2u);
  EXPECT_EQ(at_a[1].people, std::vector{ann});
  EXPECT_EQ(at_a[1].except_session, 5u);
  EXPECT_EQ(at_b[1].people, std::vector{bob});
  EXPECT_EQ(at_b[1].except_session, 0u);
  EXPECT_EQ(at_a[1].bytes, at_b[1].bytes);
  up(ports::Detach{bob}, gateway_b);
  run(send(ann, bob, 3));
  EXPECT_TRUE(b.take<ports::EventOut>().empty());
}

TEST_F(ShardTest, WhoWasAttachedOverALinkIsForgottenWithIt) {
  up(ports::Attach{ann});
  up(ports::Attach{bob});
  up(ports::Attach{bob}, gateway_b);
  run(create(ann, bob));
  a.frames.clear();
  b.frames.clear();
  shard->on_unlink(gateway_a);
  up(ports::Commands{{send(ann, bob, 2)}}, gateway_b);
  make_durable();
  settle();
  EXPECT_TRUE(a.frames.empty()) << "neither the answer nor the event";
  EXPECT_EQ(b.take<ports::EventOut>().size(), 1u);
  // Another gateway takes the place, and who was attached there is not attached here.
  Gateway c;
  shard->on_link(3, c);
  up(ports::Commands{{send(ann, bob, 3)}}, gateway_b);
  make_durable();
  settle();
  EXPECT_TRUE(c.frames.empty());
  EXPECT_EQ(b.take<ports::EventOut>().size(), 1u);
  up(ports::Attach{ann}, 3);
  up(ports::Commands{{send(ann, bob, 4)}}, gateway_b);
  make_durable();
  settle();
  const auto events = c.take<ports::EventOut>();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].people, std::vector{ann});
  shard->on_unlink(gateway_a);  // twice is once
}

TEST_F(ShardTest, AConversationThatLoadsIsOvertakenAndHoldsTheCheckpointBack) {
  run(create(ann, bob));
  run(create(ann, eve));
  flush();
  restart();
  run(send(ann, eve, 7));  // in memory now
  up(ports::Commands{{send(ann, bob, 8)}});
  up(ports::Commands{{send(ann, eve, 9)}});
  make_durable();
  auto replies = a.take<ports::Reply>();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].client_id, send(ann, eve, 9).client_id);
  EXPECT_LT(shard->folded_below(), log.end());
  settle();
  replies = a.take<ports::Reply>();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].client_id, send(ann, bob, 8).client_id);
  EXPECT_EQ(shard->folded_below(), log.end());
}

TEST_F(ShardTest, RepeatsAfterARestartGetTheFirstAnswersFromStateAndRows) {
  run(create(ann, bob));
  std::vector<ports::Reply> first;
  for (uint64_t i = 2; i < 60; ++i) first.push_back(run(send(ann, bob, i)));
  for (const bool flushed : {false, true}) {
    if (flushed) flush();
    restart();
    for (uint64_t i = 59; i >= 2; --i) {
      const auto again = run(send(ann, bob, i));
      EXPECT_TRUE(again.duplicate) << i;
      EXPECT_EQ(again.seq, first[i - 2].seq);
      EXPECT_EQ(again.id, first[i - 2].id);
    }
  }
  EXPECT_EQ(run(send(ann, bob, 60)).seq.value, 60u);
}

TEST_F(ShardTest, AReplayHasTheSameHash) {
  run(create(ann, bob));
  for (uint64_t i = 2; i < 30; ++i) {
    run(send(i % 3 ? ann : bob, i % 3 ? bob : ann, i));
    if (i % 7 == 0) flush();
  }
  const auto partition = model::partition_of(model::direct_conversation(ann, bob));
  const uint64_t hash = shard->partition_hash(partition);
  restart();
  EXPECT_EQ(shard->partition_hash(partition), hash);
  EXPECT_NE(hash, 0u);
}

TEST_F(ShardTest, PagesCoverStoreAndMemoryWithoutAGap) {
  run(create(ann, bob));
  for (uint64_t i = 2; i <= 20; ++i) {
    run(send(ann, bob, i));
    if (i == 6 || i == 12) flush();
  }
  for (uint64_t after = 0; after <= 20; ++after) {
    for (const size_t limit : {1u, 7u, 200u}) {
      uint64_t at = after;
      for (;;) {
        const auto page = pull(bob, at, {}, limit);
        ASSERT_TRUE(page);
        EXPECT_TRUE(page->holes.empty());
        EXPECT_EQ(page->events.size(), page->upto.value - at);
        EXPECT_EQ(page->more, page->upto.value < 20);
        if (!page->more) break;
        ASSERT_GT(page->upto.value, at);
        at = page->upto.value;
      }
    }
  }
}

TEST_F(ShardTest, ACursorOfAnotherHistoryIsDiverged) {
  run(create(ann, bob));
  std::vector<model::MessageId> ids{{0}, {0}};
  for (uint64_t i = 2; i <= 10; ++i) {
    ids.push_back(run(send(ann, bob, i)).id);
    if (i == 5) flush();
  }
  EXPECT_EQ(pull(bob, 11).error().code, Code::diverged);
  for (uint64_t seq = 2; seq <= 10; ++seq) {
    const model::Cursor right{{seq}, ids[seq]}, wrong{{seq}, {ids[seq].value + 1}};
    for (uint64_t after = seq; after <= 10; ++after) {
      EXPECT_TRUE(pull(bob, after, right)) << seq << " " << after;
      EXPECT_EQ(pull(bob, after, wrong).error().code, Code::diverged) << seq << " " << after;
    }
  }
}

TEST_F(ShardTest, AStrangerLearnsNothing) {
  run(create(ann, bob));
  run(send(ann, bob, 2));
  EXPECT_EQ(pull(eve, 0).error().code, Code::not_found);
  EXPECT_TRUE(sync(eve).rows.empty());
  auto c = send(ann, bob, 3);
  c.user = eve;
  EXPECT_EQ(run(c).error, Code::not_found);
}

TEST_F(ShardTest, SyncListsWhatDiffersFlushedOrNot) {
  run(create(ann, bob));
  EXPECT_EQ(sync(bob).rows.size(), 1u);
  flush();
  run(create(eve, bob));
  auto rows = sync(bob).rows;
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_LT(rows[0].conversation, rows[1].conversation);
  restart();
  rows = sync(bob).rows;
  ASSERT_EQ(rows.size(), 2u);
  std::vector<ports::VectorRow> have;
  for (const auto& row : rows) have.push_back({row.conversation, row.head, row.head_id, row.mark_count});
  EXPECT_TRUE(sync(bob, have).rows.empty());
  have[0].id.value ^= 1;
  EXPECT_EQ(sync(bob, have).rows.size(), 1u);
}

// Who has more conversations than a sync lists names ranges that end at one of them.
TEST_F(ShardTest, ASyncThatEndsWithItsRangeHasNoMore) {
  run(create(ann, bob));
  run(create(eve, bob));
  flush();
  const auto rows = sync(bob).rows;
  ASSERT_EQ(rows.size(), 2u);
  ports::Sync query{4, bob, {}, rows[0].conversation, {}, {}, 1};
  EXPECT_FALSE(sync(query).next) << "it would lie behind the range";
  query.to = rows[1].conversation;
  const auto first = sync(query);
  EXPECT_EQ(first.rows.size(), 1u);
  ASSERT_TRUE(first.next);
  EXPECT_GT(*first.next, rows[0].conversation);
  EXPECT_LE(*first.next, rows[1].conversation);
  query.from = *first.next;
  EXPECT_EQ(sync(query).rows.size(), 1u);
}

TEST_F(ShardTest, BeyondTheBoundOfStatesCleanOnesLeaveAndElseNewLoadsAreBusyBeforeTheAppend) {
  limits.states_max = 1;
  run(create(ann, bob));
  // What is not written yet stays, and so does nobody else come in.
  up(ports::Commands{{create(ann, eve)}});
  const auto replies = a.take<ports::Reply>();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].error, Code::busy);
  EXPECT_FALSE(replies[0].appended);
  EXPECT_TRUE(log.appended.empty());
  EXPECT_FALSE(run(send(ann, bob, 2)).error);
  flush_all();
  EXPECT_FALSE(run(create(ann, eve)).error);
  flush_all();
  EXPECT_EQ(run(send(ann, bob, 3)).seq.value, 3u);
}

// The store was read before the flush, memory asked after the eviction: the message was in neither, behind a
// cursor that claimed it.
TEST_F(ShardTest, WhatIsFlushedAndEvictedWhileAListIsReadIsStillListed) {
  limits.states_max = 3;
  run(create(ann, bob));
  flush_all();
  const auto before = sync(ann);
  EXPECT_FALSE(run(send(ann, bob, 2)).error);
  ports::Sync query{4, ann, {}, {}, {}, before.activity, 500};
  query.to.bytes.fill(0xff);
  up(std::move(query));
  ASSERT_TRUE(readers.run_one());
  base::Task answer = std::move(home.tasks.back());
  home.tasks.pop_back();
  flush();
  for (uint64_t i = 0; i < 3; ++i) {
    up(ports::AskMember{1, ann, model::direct_conversation({100 + i}, {200})});
    up(ports::Commands{{create({100 + i}, {200}, 10 + i)}});
  }
  make_durable();
  settle();
  a.frames.clear();
  answer();
  const auto rows = a.take<ports::SyncOut>().at(0).rows.value().rows;
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].head.value, 2u);
}

// A start whose store was lost folded a whole log into memory before anything of it was written.
TEST_F(ShardTest, DispatchWaitsForAStoreThatIsSlowerThanTheLog) {
  run(create(ann, bob));
  flush();
  limits.flush_records_max = 4;
  limits.unflushed_records_max = 8;
  for (uint64_t i = 2; i < 102; ++i) up(ports::Commands{{send(ann, bob, i)}});
  make_durable();
  while (home.run_one() || readers.run_one()) {
  }
  EXPECT_LE(a.take<ports::Reply>().size(), 4u + 8u);
  limits.undispatched_bytes_max = 1;
  up(ports::Commands{{send(ann, bob, 102)}});
  const auto refused = a.take<ports::Reply>();
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].error, Code::busy);
  EXPECT_FALSE(refused[0].appended);
  settle();
  EXPECT_EQ(a.take<ports::Reply>().size(), 100u - 12u);
  EXPECT_EQ(shard->folded_below(), log.end());
}

// One flush of a long backlog was one row: each page in it read and decoded all of it.
TEST_F(ShardTest, AFlushOfManyEventsIsManyRows) {
  limits.chunk_bytes_max = 200;
  restart();
  run(create(ann, bob));
  for (uint64_t i = 2; i <= 60; ++i) run(send(ann, bob, i));
  flush();
  const auto chunks = *store.read_chunks(model::direct_conversation(ann, bob), {0}, 1 << 20);
  EXPECT_GT(chunks.size(), 5u);
  for (const auto& chunk : chunks) EXPECT_LT(chunk.value.size(), 400u);
  const auto page = pull(bob, 0);
  EXPECT_EQ(page->events.size(), 60u);
}

// One bad row of old history ended the server for everybody, at each pull.
TEST_F(ShardTest, ARowThatCannotBeDecodedIsANamedHole) {
  run(create(ann, bob));
  for (uint64_t i = 2; i <= 9; ++i) {
    run(send(ann, bob, i));
    if (i % 3 == 0) flush();
  }
  const auto conversation = model::direct_conversation(ann, bob);
  for (const uint64_t bad : {4, 7}) {
    ports::StoreBatch damage;
    damage.chunks.push_back({conversation, {bad}, {bad + 2}, "damaged"});
    ASSERT_TRUE(store.commit(damage));
  }
  restart();
  const auto page = pull(bob, 0);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->events.size(), 3u);
  ASSERT_EQ(page->holes.size(), 1u);
  EXPECT_EQ(page->holes[0].from.value, 4u);
  EXPECT_EQ(page->holes[0].to.value, 9u);
  EXPECT_EQ(page->upto.value, 9u);
  EXPECT_FALSE(page->more);
}

TEST_F(ShardTest, WhatDoesNotExistIsForgotten) {
  for (uint64_t i = 0; i < 100; ++i) {
    up(ports::AskMember{1, ann, model::direct_conversation(ann, {1000 + i})});
    settle();
  }
  EXPECT_EQ(metrics.gauge("tidings_delivery_states").value(), 0);
}

}  // namespace
}  // namespace tidings::delivery
