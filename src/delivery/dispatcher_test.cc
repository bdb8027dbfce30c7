#include "delivery/dispatcher.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>

#include <gtest/gtest.h>

namespace tidings::delivery {
namespace {

using base::WallTime;
using model::PartitionId;
using model::Position;

const WallTime t0 = base::wall_from_ms(1'795'300'000'000);

ports::LogRecord record(uint64_t position, PartitionId partition, WallTime time) {
  return {{position}, partition, time, {}};
}

std::unique_ptr<Dispatcher> fresh(const std::vector<ports::Checkpoint>& checkpoints = {}) {
  auto d = std::make_unique<Dispatcher>();
  d->start(checkpoints);
  return d;
}

TEST(Dispatcher, IdsAreUniqueAndGrowWithGapsAndAClockThatStepsBack) {
  std::mt19937 random(1);
  const auto d = fresh();
  uint64_t position = 0;
  WallTime time = t0;
  model::MessageId last;
  for (int i = 0; i < 900'000; ++i) {
    position += 1 + (random() % 50 == 0 ? random() % 9000 : 0);
    if (random() % 10 == 0) time += base::milliseconds(static_cast<int>(random() % 5) - 2);
    const auto place = d->place(record(position, {7}, time));
    const auto id = model::message_id(place.time, place.partition, place.position);
    ASSERT_LT(last, id);
    last = id;
    d->folded(place, 0);
  }
}

TEST(Dispatcher, NoCheckpointPassesARecordThatIsNotFolded) {
  const auto d = fresh();
  const auto a = d->place(record(10, {1}, t0));
  const auto ticket_a = d->suspend(a);
  const auto b = d->place(record(11, {1}, t0 + base::milliseconds(5)));
  const auto ticket_b = d->suspend(b);
  d->folded(b, ticket_b);
  EXPECT_TRUE(d->take_changed_checkpoints().empty());
  EXPECT_EQ(d->folded_below({12}).value, 10u);
  d->folded(a, ticket_a);
  const auto changed = d->take_changed_checkpoints();
  ASSERT_EQ(changed.size(), 1u);
  EXPECT_EQ(changed[0].position.value, 11u);
  EXPECT_EQ(changed[0].time, t0 + base::milliseconds(5));
  EXPECT_EQ(d->folded_below({12}).value, 12u);
}

// protocol.md §3: with the newest time in the checkpoint, replay changed 9 of 10 acknowledged ids.
TEST(Dispatcher, AReplayFromACheckpointFixesTheSameTimes) {
  std::mt19937 random(2);
  std::vector<ports::LogRecord> log;
  WallTime time = t0;
  uint64_t position = 0;
  for (int i = 0; i < 2000; ++i) {
    time += base::milliseconds(random() % 3);
    position += 1 + random() % 100;
    log.push_back(record(position, {static_cast<uint16_t>(random() % 3)}, time));
  }
  std::map<uint64_t, WallTime> first;
  std::vector<std::vector<ports::Checkpoint>> checkpoints;
  const auto d = fresh();
  std::vector<std::pair<fold::Place, uint64_t>> suspended;
  std::map<uint16_t, ports::Checkpoint> now;
  for (const auto& r : log) {
    const auto place = d->place(r);
    first[r.position.value] = place.time;
    if (d->anything_suspended() || random() % 10 == 0) {
      suspended.emplace_back(place, d->suspend(place));
    } else {
      d->folded(place, 0);
    }
    if (random() % 5 == 0) {
      std::shuffle(suspended.begin(), suspended.end(), random);
      const size_t keep = suspended.size() / 2;
      for (size_t i = keep; i < suspended.size(); ++i) d->folded(suspended[i].first, suspended[i].second);
      suspended.resize(keep);
    }
    for (const auto& c : d->take_changed_checkpoints()) now[c.partition.value] = c;
    if (random() % 50 == 0) {
      auto& kept = checkpoints.emplace_back();
      for (const auto& [p, c] : now) kept.push_back(c);
    }
  }
  ASSERT_GT(checkpoints.size(), 10u);
  for (const auto& from : checkpoints) {
    const auto replay = fresh(from);
    for (const auto& r : log) {
      if (replay->before_checkpoint(r)) continue;
      ASSERT_EQ(replay->place(r).time, first[r.position.value]);
    }
  }
}

}  // namespace
}  // namespace tidings::delivery
