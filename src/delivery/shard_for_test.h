// A core shard on a store in memory, a log that the test makes durable, and executors that it turns.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>

#include <gtest/gtest.h>

#include "delivery/shard.h"
#include "engine/memory/memory_store.h"
#include "wire/frames.h"
#include "wire/record.h"

namespace tidings::delivery {

using base::WallTime;
using model::ClientId;
using model::Position;
using model::UserId;
using wire::Code;

inline constexpr UserId ann{11}, bob{22}, eve{33};
inline constexpr uint64_t gateway_a = 1, gateway_b = 2;
inline const WallTime t0 = base::wall_from_ms(1'795'300'000'000);

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
  base::nanoseconds now = std::chrono::seconds(1);
  WallTime wall() const override { return t0; }
  base::MonotonicTime monotonic() const override { return base::MonotonicTime(now); }
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
    shard = std::make_unique<Shard>(Shard::Parts{0, 1, home, readers, log, store, *writer, clock, limits,
                                                 metrics, 9, [](std::string s) { FAIL() << s; }});
    ASSERT_TRUE(shard->start(*store.checkpoints(), *store.low()));
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

  // Until nothing is on its way: effects, too.
  void flush_all() {
    for (int i = 0; i < 6; ++i) {
      home.fire_timers();
      settle();
      make_durable();
      flush();
    }
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
  ports::SyncRows sync(UserId who, std::vector<ports::VectorRow> vector = {},
                       std::optional<Position> activity = {}) {
    ports::Sync query{4, who, {}, {}, std::move(vector), activity, 500};
    query.to.bytes.fill(0xff);
    return sync(std::move(query));
  }
  ports::SyncRows sync(ports::Sync query) {
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

}  // namespace tidings::delivery
