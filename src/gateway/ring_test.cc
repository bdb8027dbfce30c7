#include "gateway/ring.h"

#include <deque>
#include <random>

#include <gtest/gtest.h>

namespace tidings::gateway {
namespace {

TEST(RingTest, WhatIsPushedIsHandedOverOnceInOrder) {
  Ring ring;
  EXPECT_FALSE(ring.waits());
  ring.push(Frame("one"));
  ring.push(Frame(""));
  EXPECT_EQ(ring.newest(), 2u);
  EXPECT_EQ(ring.hand_over(), "one");
  EXPECT_EQ(ring.hand_over(), "");
  EXPECT_FALSE(ring.waits());
  EXPECT_EQ(ring.frames(), 2u);
}

TEST(RingTest, AckedFramesGoAndTheRestIsHandedAgain) {
  Ring ring;
  for (const char* frame : {"1", "22", "333"}) ring.push(Frame(frame));
  ring.hand_over();
  ring.hand_over();
  ring.ack(1);
  EXPECT_EQ(ring.acked(), 1u);
  EXPECT_EQ(ring.frames(), 2u);
  EXPECT_EQ(ring.hand_over(), "333");
  ring.rewind();
  EXPECT_EQ(ring.hand_over(), "22");
  ring.ack(1);
  EXPECT_EQ(ring.hand_over(), "333") << "an old ack changes nothing";
  ring.ack(3);
  EXPECT_EQ(ring.bytes(), 0u);
  ring.push(Frame("4"));
  EXPECT_EQ(ring.newest(), 4u);
  EXPECT_EQ(ring.hand_over(), "4");
}

TEST(RingTest, SeveralAtOnceAreTheSameAsOneByOne) {
  Ring ring, other;
  ring.push(Frame("1"));
  other.push(Frame("1"));
  const std::vector<Frame> frames{Frame("22"), Frame(""), Frame("333")};
  ring.push(frames, 5);
  for (const auto& frame : frames) other.push(frame);
  EXPECT_EQ(ring.newest(), 4u);
  EXPECT_EQ(ring.bytes(), other.bytes());
  ring.hand_over_all();
  EXPECT_FALSE(ring.waits());
  ring.ack(2);
  ring.rewind();
  EXPECT_EQ(ring.hand_over(), "");
  EXPECT_EQ(ring.hand_over(), "333");
  ring.ack(4);
  EXPECT_EQ(ring.bytes(), 0u);
}

TEST(RingTest, AnAckOfWhatWasNotHandedOverMovesOn) {
  Ring ring;
  for (const char* frame : {"1", "2", "3"}) ring.push(Frame(frame));
  ring.ack(2);
  EXPECT_EQ(ring.hand_over(), "3");
  EXPECT_FALSE(ring.waits());
}

TEST(RingTest, AFrameIsHeldOnceByAllAndCountedByEach) {
  Ring one, other;
  {
    const Frame frame("told to both");
    one.push(frame);
    other.push(frame);
  }
  EXPECT_EQ(one.hand_over().data(), other.hand_over().data());
  EXPECT_EQ(one.bytes(), other.bytes());
  EXPECT_GT(one.bytes(), std::string_view("told to both").size());
  one.ack(1);
  other.rewind();
  EXPECT_EQ(other.hand_over(), "told to both") << "its other holder has let go";
  EXPECT_EQ(one.bytes(), 0u);
}

// Against a plain queue.
TEST(RingTest, IsAQueueWhateverHappens) {
  std::mt19937_64 random(7);
  Ring ring;
  std::deque<std::string> all;
  uint64_t acked = 0, handed = 0, newest = 0;
  for (int step = 0; step < 50'000; ++step) {
    switch (random() % 8) {
      case 0: {
        const uint64_t to = acked + random() % (newest - acked + 1);
        ring.ack(to);
        for (; acked < to; ++acked) all.pop_front();
        handed = std::max(handed, acked);
        break;
      }
      case 1:
        if (random() % 16 > 0) break;
        ring.rewind();
        handed = acked;
        break;
      case 2:
      case 3:
      case 4:
        if (handed == newest) break;
        ASSERT_TRUE(ring.waits());
        ASSERT_EQ(ring.hand_over(), all[handed - acked]);
        ++handed;
        break;
      default:
        all.push_back(std::string(random() % (random() % 50 == 0 ? 5000 : 200), static_cast<char>(step)));
        ring.push(Frame(all.back()));
        ++newest;
    }
    ASSERT_EQ(ring.newest(), newest);
    ASSERT_EQ(ring.frames(), all.size());
    ASSERT_EQ(ring.waits(), handed < newest);
  }
}

}  // namespace
}  // namespace tidings::gateway
