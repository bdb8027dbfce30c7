#include "client/cpp/outbox.h"

#include <gtest/gtest.h>

#include "client/cpp/rig_for_test.h"

namespace tidings::client {
namespace {

using base::MonotonicTime;
using base::seconds;

class OutboxTest : public testing::Test {
 protected:
  OutboxTest() {
    EXPECT_TRUE(outbox_.load(now_).ok());
    outbox_.connected(32);
  }
  void add(uint8_t n) {
    OutboxMessage message;
    message.conversation = conversation_;
    message.client_id = {model::uuid_v7(time_.wall(), n, n)};
    message.message.text = "m" + std::to_string(n);
    EXPECT_TRUE(outbox_.add(message).ok());
  }
  std::vector<wire::MessageSend> due() {
    return outbox_.due(now_, last_request_, [](const auto&) { return Outbox::Route{}; });
  }
  void refuse(const wire::MessageSend& send, wire::Code code) {
    outbox_.refuse({.request = send.request, .code = code}, now_);
  }

  VirtualTime time_;
  SeededRandom random_{1};
  OutboxMemory store_;
  ClientIds ids_{time_, random_};
  Outbox outbox_{store_, ids_, random_};
  model::ConversationId conversation_ = model::direct_conversation({1}, {2});
  MonotonicTime now_{seconds(100)};
  uint64_t last_request_ = 0;
};

// Somebody was removed from a group and has written much there.
TEST_F(OutboxTest, WhatStandsBehindOneThatIsGivenUpDoesNotWaitForItsOwnRetry) {
  constexpr uint8_t count = 30;
  for (uint8_t n = 1; n <= count; ++n) add(n);
  size_t failed = 0;
  for (int round = 0; round < count && failed < count; ++round) {
    const auto frames = due();
    for (size_t i = 0; i < frames.size(); ++i)
      refuse(frames[i], i == 0 ? wire::Code::not_member : wire::Code::order);
    failed += outbox_.ended(now_).size();
  }
  EXPECT_EQ(failed, count) << "without a moment's wait";
  EXPECT_EQ(outbox_.size(), 0u);
}

TEST_F(OutboxTest, WhatIsRefusedForAnotherReasonKeepsItsWait) {
  add(1);
  add(2);
  const auto frames = due();
  ASSERT_EQ(frames.size(), 2u);
  refuse(frames[1], wire::Code::busy);
  refuse(frames[0], wire::Code::not_member);
  EXPECT_EQ(outbox_.ended(now_).size(), 1u);
  EXPECT_TRUE(due().empty());
  now_ += seconds(20);
  EXPECT_EQ(due().size(), 1u);
}

}  // namespace
}  // namespace tidings::client
