// What every Link must do. An implementation takes part by a fixture:
//   struct Fixture {
//     // The two ends, and a bound for both directions in bytes.
//     Fixture(tidings::ports::GatewayShard& gateway, tidings::ports::CoreShard& core, size_t
//     queue_bytes_max); void open();                                    // announces the link
//     tidings::ports::LinkToCore& to_core();
//     tidings::base::Executor& gateway_executor();
//     tidings::base::Executor& core_executor();
//     void run();                                     // lets both run until nothing is left to do
//     void run_core();                                // the core alone: the gateway stands still
//     void run_gateway();                             // the gateway alone: the core stands still
//     tidings::base::Gauge up_bytes, down_bytes;      // given to the link
//     void cut();                                     // the link is destroyed, the ends and executors go on
//     static constexpr uint64_t gateway_id; static constexpr size_t core_index;
//   };
// and INSTANTIATE_TYPED_TEST_SUITE_P(Name, LinkContract, Fixture). Nothing runs between two calls of run….
#pragma once

#include <gtest/gtest.h>

#include "base/executor.h"
#include "base/metrics.h"
#include "ports/link.h"

namespace tidings::contract {

// The ends: they write down what arrives.
struct RecordingGateway : ports::GatewayShard {
  void on_down(size_t core_shard, ports::DownBatch batch) override {
    shards.push_back(core_shard);
    batches.push_back(std::move(batch));
  }
  std::vector<size_t> shards;
  std::vector<ports::DownBatch> batches;
};
struct RecordingCore : ports::CoreShard {
  void on_link(uint64_t gateway, ports::LinkToGateway& link) override {
    EXPECT_EQ(to_gateway, nullptr);
    gateways.push_back(gateway);
    to_gateway = &link;
  }
  void on_unlink(uint64_t) override { to_gateway = nullptr; }
  void on_up(uint64_t gateway, std::vector<ports::UpFrame> frames) override {
    gateways.push_back(gateway);
    turns.push_back(std::move(frames));
  }
  ports::LinkStamp stamp() const override {
    return {42, base::wall_from_ms(folded), {static_cast<uint64_t>(folded)}};
  }

  int64_t folded = 0;
  std::vector<uint64_t> gateways;
  std::vector<std::vector<ports::UpFrame>> turns;
  ports::LinkToGateway* to_gateway = nullptr;
};

template <class Fixture>
class LinkContract : public testing::Test {
 protected:
  static constexpr size_t bytes_max = 100'000;

  void SetUp() override {
    fixture.open();
    fixture.run();
    ASSERT_NE(core.to_gateway, nullptr);
  }
  // Down frames of one turn of the core; their sizes are told apart by `number`.
  void send_down(std::vector<std::pair<uint64_t, size_t>> numbers_and_bytes) {
    fixture.core_executor().post([this, frames = std::move(numbers_and_bytes)] {
      for (const auto& [number, bytes] : frames) {
        ports::EventOut out;
        out.except_session = number;
        out.bytes = std::string(bytes, 'x');
        core.to_gateway->send(std::move(out));
      }
    });
  }
  // Up frames of one turn of the gateway; how many were taken.
  size_t send_up(uint64_t first, uint64_t last, size_t bytes = 10) {
    auto taken = std::make_shared<size_t>(0);
    fixture.gateway_executor().post([this, taken, first, last, bytes] {
      for (uint64_t n = first; n <= last; ++n) {
        ports::Commands commands{{model::Command{}}};
        commands.commands[0].user = {n};
        commands.commands[0].body =
            model::SendMessage{{model::MessageKind::text, std::string(bytes, 'x')}, {}};
        *taken += fixture.to_core().send(std::move(commands));
      }
    });
    fixture.run_gateway();
    return *taken;
  }
  static std::vector<uint64_t> numbers(const ports::DownBatch& batch) {
    std::vector<uint64_t> out;
    for (const auto& frame : batch.frames) out.push_back(std::get<ports::EventOut>(frame).except_session);
    return out;
  }

  RecordingGateway gateway;
  RecordingCore core;
  Fixture fixture{gateway, core, bytes_max};
};

TYPED_TEST_SUITE_P(LinkContract);

TYPED_TEST_P(LinkContract, FramesOfOneTurnTravelUpTogetherInOrder) {
  EXPECT_EQ(this->send_up(1, 3), 3u);
  EXPECT_EQ(this->core.turns.size(), 0u);
  this->fixture.run();
  EXPECT_EQ(this->send_up(4, 4), 1u);
  this->fixture.run();
  ASSERT_EQ(this->core.turns.size(), 2u);
  ASSERT_EQ(this->core.turns[0].size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(std::get<ports::Commands>(this->core.turns[0][i]).commands[0].user, model::UserId{i + 1});
  }
  EXPECT_EQ(this->core.turns[1].size(), 1u);
  EXPECT_EQ(this->core.gateways, std::vector(3, TypeParam::gateway_id));
}

TYPED_TEST_P(LinkContract, FramesOfOneTurnTravelDownTogetherBehindOneStamp) {
  this->core.folded = 7;
  this->send_down({{1, 10}, {2, 20}, {3, 30}});
  this->fixture.run();
  this->core.folded = 9;
  this->send_down({{4, 10}});
  this->fixture.run();
  const auto& batches = this->gateway.batches;
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(this->numbers(batches[0]), (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(this->numbers(batches[1]), (std::vector<uint64_t>{4}));
  EXPECT_EQ(batches[0].stamp.source, 42u);
  EXPECT_EQ(batches[0].stamp.folded_below, model::Position{7});
  EXPECT_EQ(batches[1].stamp.log_time, base::wall_from_ms(9));
  EXPECT_EQ(batches[0].number, 1u);
  EXPECT_EQ(batches[0].previous, 0u);
  EXPECT_EQ(batches[1].number, 2u);
  EXPECT_EQ(batches[1].previous, 1u);
  EXPECT_EQ(this->gateway.shards, std::vector(2, TypeParam::core_index));
}

TYPED_TEST_P(LinkContract, AnUpFrameBeyondTheBoundIsRefusedUntilThereIsRoom) {
  const size_t taken = this->send_up(1, 30, 10'000);
  EXPECT_GE(taken, 5u);
  EXPECT_LE(taken, 10u);
  EXPECT_EQ(this->send_up(31, 31, 10'000), 0u);
  this->fixture.run();
  ASSERT_EQ(this->core.turns.size(), 1u);
  EXPECT_EQ(this->core.turns[0].size(), taken);
  EXPECT_EQ(this->send_up(32, 32, 10'000), 1u);
  this->fixture.run();
  EXPECT_EQ(this->core.turns.size(), 2u);
}

TYPED_TEST_P(LinkContract, ADroppedFrameShowsAsAGapBeforeAnythingThatFollowsIt) {
  this->send_down({{1, 60'000}, {2, 60'000}, {3, 10}});
  this->fixture.run_core();
  this->send_down({{4, 10}});
  this->fixture.run();
  uint64_t last = 0;
  std::vector<uint64_t> received;
  bool gap = false;
  for (const auto& batch : this->gateway.batches) {
    if (batch.previous != last) {
      EXPECT_EQ(received, std::vector<uint64_t>{1}) << "the gap stands behind what was sent before the drop";
      gap = true;
    }
    EXPECT_GT(batch.number, last);
    last = batch.number;
    for (const uint64_t number : this->numbers(batch)) received.push_back(number);
  }
  EXPECT_TRUE(gap);
  EXPECT_EQ(received, (std::vector<uint64_t>{1, 4}));
}

TYPED_TEST_P(LinkContract, AGapIsToldEvenIfNothingFollows) {
  for (uint64_t turn = 0; turn < 50; ++turn) {
    this->send_down({{turn, 60'000}});
    this->fixture.run_core();
  }
  this->fixture.run();
  const auto& batches = this->gateway.batches;
  ASSERT_GE(batches.size(), 2u);
  EXPECT_LE(batches.size(), 4u) << "what waits is bounded, notices of gaps too";
  EXPECT_NE(batches[1].previous, batches[0].number);
  // And it is told again when it happens again.
  const size_t before = batches.size();
  const uint64_t last = batches.back().number;
  this->send_down({{98, 110'000}});
  this->fixture.run();
  ASSERT_GT(batches.size(), before);
  EXPECT_NE(batches[before].previous, last);
}

TYPED_TEST_P(LinkContract, RoomComesBackWhenTheGatewayHasTaken) {
  for (uint64_t turn = 0; turn < 20; ++turn) {
    this->send_down({{turn, 60'000}});
    this->fixture.run();
  }
  ASSERT_EQ(this->gateway.batches.size(), 20u);
  for (uint64_t turn = 0; turn < 20; ++turn) EXPECT_EQ(this->gateway.batches[turn].previous, turn);
}

TYPED_TEST_P(LinkContract, WhatIsUnderWayUpWhenTheLinkGoesIsDropped) {
  EXPECT_EQ(this->send_up(1, 2), 2u);
  this->fixture.cut();
  this->fixture.run();
  EXPECT_TRUE(this->core.turns.empty());
}

TYPED_TEST_P(LinkContract, WhatIsUnderWayDownWhenTheLinkGoesIsDropped) {
  this->send_down({{1, 10}});
  this->fixture.run_core();
  this->fixture.cut();
  this->fixture.run();
  EXPECT_TRUE(this->gateway.batches.empty());
}

TYPED_TEST_P(LinkContract, GaugesTellWhatIsUnderWay) {
  auto& up = this->fixture.up_bytes;
  auto& down = this->fixture.down_bytes;
  EXPECT_EQ(this->send_up(1, 3, 10'000), 3u);
  EXPECT_GT(up.value(), 30'000);
  this->fixture.run();
  EXPECT_EQ(up.value(), 0);
  this->send_down({{1, 60'000}});
  this->fixture.run_core();
  EXPECT_GT(down.value(), 60'000);
  this->fixture.run();
  EXPECT_EQ(down.value(), 0);
  EXPECT_EQ(this->send_up(4, 4, 10'000), 1u);
  this->send_down({{2, 60'000}});
  this->fixture.run_core();
  this->fixture.cut();
  this->fixture.run();
  EXPECT_EQ(up.value(), 0);
  EXPECT_EQ(down.value(), 0);
}

REGISTER_TYPED_TEST_SUITE_P(LinkContract, FramesOfOneTurnTravelUpTogetherInOrder,
                            FramesOfOneTurnTravelDownTogetherBehindOneStamp,
                            AnUpFrameBeyondTheBoundIsRefusedUntilThereIsRoom,
                            ADroppedFrameShowsAsAGapBeforeAnythingThatFollowsIt,
                            AGapIsToldEvenIfNothingFollows, RoomComesBackWhenTheGatewayHasTaken,
                            WhatIsUnderWayUpWhenTheLinkGoesIsDropped,
                            WhatIsUnderWayDownWhenTheLinkGoesIsDropped, GaugesTellWhatIsUnderWay);

}  // namespace tidings::contract
