#include "delivery/shard.h"

#include <algorithm>
#include <deque>
#include <memory>

#include <gtest/gtest.h>

#include "engine/memory/memory_store.h"
#include "wire/frames.h"
#include "wire/record.h"

namespace tidings::delivery {
namespace {

using base::WallTime;
using model::ClientId;
using model::Position;
using model::UserId;
using wire::Code;

constexpr UserId ann{11}, bob{22}, eve{33};
constexpr uint64_t gateway_a = 1, gateway_b = 2;
const WallTime t0 = base::wall_from_ms(1'795'300'000'000);

// Runs tasks when told; timers fire when nothing else is left.
struct ManualExecutor : base::Executor {
  std::deque<base::Task> tasks;
  std::vector<std::pair<base::TimerId, base::Task>> timers;
  base::TimerId last = 0;
  void post(base::Task task) override { tasks.push_back(std::move(task)); }
  base::TimerId after(base::nanoseconds, base::Task task) override {
    timers.emplace_back(++last, std::move(task));
    return last;
  }
  void cancel(base::TimerId id) override {
    std::erase_if(timers, [id](const auto& t) { return t.first == id; });
  }
  bool run_one() {
    if (tasks.empty()) return false;
    base::Task task = std::move(tasks.front());
    tasks.pop_front();
    task();
    return true;
  }
  void fire_timers() {
    for (auto& [id, task] : std::exchange(timers, {})) task();
  }
};

struct FixedClock : ports::Clock {
  WallTime wall() const override { return t0; }
  base::MonotonicTime monotonic() const override { return {}; }
};

// Keeps what is appended until the test makes it durable.
struct HeldLog : ports::Log {
  std::vector<Append> appended;
  std::optional<Code> refuse;
  uint64_t next = 1;
  std::optional<Code> append(std::vector<Append> records) override {
    if (refuse) return refuse;
    for (auto& r : records) appended.push_back(std::move(r));
    return std::nullopt;
  }
  void read(Position, Sink) override {}
  void trim(Position) override {}
  Position end() const override { return {next}; }
  WallTime time() const override { return t0; }
};

struct Gateway : ports::LinkToGateway {
  std::vector<ports::DownFrame> frames;
  void send(ports::DownFrame frame) override { frames.push_back(std::move(frame)); }
  template <class T>
  std::vector<T> take() {
    std::vector<T> out;
    std::erase_if(frames, [&](auto& f) {
      if (!std::holds_alternative<T>(f)) return false;
      out.push_back(std::move(std::get<T>(f)));
      return true;
    });
    return out;
  }
};

class ShardTest : public testing::Test {
 protected:
  ShardTest() { restart(); }

  // A new shard on what the store has, and what the log held since its low.
  void restart() {
    shard.reset();
    home.tasks.clear();
    home.timers.clear();
    readers.tasks.clear();
    writers.tasks.clear();
    writer = std::make_unique<StoreWriter>(StoreWriter::Parts{
        writers, store, clock, limits, metrics, 1, *store.low(), [](std::string s) { FAIL() << s; }});
    shard = std::make_unique<Shard>(Shard::Parts{0, 1, home, readers, log, store, *writer, limits, metrics, 9,
                                                 [](std::string s) { FAIL() << s; }});
    shard->start(*store.checkpoints());
    shard->on_link(gateway_a, a);
    shard->on_link(gateway_b, b);
    std::vector<ports::LogRecord> again;
    for (const auto& r : durable) {
      if (r.position >= *store.low()) again.push_back(r);
    }
    shard->on_records(std::move(again), {log.next});
    settle();
    a.frames.clear();
    b.frames.clear();
  }

  void up(ports::UpFrame frame, uint64_t from = gateway_a) {
    std::vector<ports::UpFrame> frames;
    frames.push_back(std::move(frame));
    shard->on_up(from, std::move(frames));
  }
  void make_durable() {
    std::vector<ports::LogRecord> records;
    for (auto& r : log.appended) records.push_back({{log.next++}, r.partition, t0, std::move(r.payload)});
    log.appended.clear();
    durable.insert(durable.end(), records.begin(), records.end());
    shard->on_records(std::move(records), {log.next});
  }
  void settle() {
    while (home.run_one() || readers.run_one() || writers.run_one()) {
    }
  }
  void flush() {
    shard->flush([] {});
    settle();
  }

  model::Command command(UserId from, UserId to, uint64_t id) {
    model::Command c;
    c.user = from;
    c.reply_to = {gateway_a, 5, id};
    c.conversation = model::direct_conversation(from, to);
    c.client_id = {model::uuid_v7(t0, 0, id)};
    c.until = t0 + std::chrono::seconds(30);
    return c;
  }
  model::Command create(UserId from, UserId to, uint64_t id = 1) {
    auto c = command(from, to, id);
    c.body = model::CreateConversation{model::ConversationKind::direct, {from, to}};
    return c;
  }
  model::Command send(UserId from, UserId to, uint64_t id) {
    auto c = command(from, to, id);
    c.body = model::SendMessage{{model::MessageKind::text, "hi " + std::to_string(id)}, {}};
    return c;
  }
  // Through intake, log and fold; the answer.
  ports::Reply run(model::Command c) {
    up(ports::Commands{{std::move(c)}});
    make_durable();
    settle();
    auto replies = a.take<ports::Reply>();
    EXPECT_EQ(replies.size(), 1u);
    return replies.empty() ? ports::Reply{} : replies.front();
  }
  wire::Answer<ports::Page> pull(UserId who, uint64_t after, std::optional<model::Cursor> check = {},
                                 size_t limit = 200) {
    up(ports::Pull{3, who, model::direct_conversation(ann, bob), {after}, check, limit});
    settle();
    auto pages = a.take<ports::PageOut>();
    EXPECT_EQ(pages.size(), 1u);
    return std::move(pages.at(0).page);
  }
  ports::SyncRows sync(UserId who, std::vector<ports::VectorRow> vector = {}) {
    ports::Sync query{4, who, {}, {}, std::move(vector), 500};
    query.to.bytes.fill(0xff);
    up(std::move(query));
    settle();
    return std::move(a.take<ports::SyncOut>().at(0).rows).value();
  }

  base::Limits limits;
  base::Registry metrics;
  FixedClock clock;
  ManualExecutor home, readers, writers;
  HeldLog log;
  memory::MemoryStore store;
  std::vector<ports::LogRecord> durable;
  Gateway a, b;
  std::unique_ptr<StoreWriter> writer;
  std::unique_ptr<Shard> shard;
};

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
  for (const auto& row : rows) have.push_back({row.conversation, row.head, row.head_id});
  EXPECT_TRUE(sync(bob, have).rows.empty());
  have[0].id.value ^= 1;
  EXPECT_EQ(sync(bob, have).rows.size(), 1u);
}

TEST_F(ShardTest, BeyondTheBoundOfStatesNewLoadsAreBusyBeforeTheAppend) {
  limits.states_max = 1;
  run(create(ann, bob));
  up(ports::Commands{{create(ann, eve)}});
  const auto replies = a.take<ports::Reply>();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].error, Code::busy);
  EXPECT_FALSE(replies[0].appended);
  EXPECT_TRUE(log.appended.empty());
  EXPECT_FALSE(run(send(ann, bob, 2)).error);
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
  ASSERT_EQ(page->holes.size(), 2u);
  EXPECT_EQ(page->holes[0].from.value, 4u);
  EXPECT_EQ(page->holes[1].to.value, 9u);
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
