#include "gateway/dirty.h"

#include <gtest/gtest.h>

#include "gateway/admission.h"

namespace tidings::gateway {
namespace {

model::ConversationId id(uint8_t n) {
  model::ConversationId out;
  out.bytes[0] = n;
  return out;
}

TEST(DirtyTest, NamesEachConversationOnceWithItsHighestHead) {
  Dirty dirty(2);
  dirty.note(id(2), {7});
  dirty.note(id(1), {});
  dirty.note(id(2), {6});
  const auto frame = dirty.frame();
  EXPECT_FALSE(frame.list);
  ASSERT_EQ(frame.conversations.size(), 2u);
  EXPECT_EQ(frame.conversations[0].conversation, id(1));
  EXPECT_EQ(frame.conversations[0].head.value, 0u);
  EXPECT_EQ(frame.conversations[1].head.value, 7u);
}

TEST(DirtyTest, BeyondItsBoundItIsTheListAndHoldsNothing) {
  Dirty dirty(2);
  for (uint8_t n = 1; n <= 3; ++n) dirty.note(id(n), {1});
  EXPECT_TRUE(dirty.frame().list);
  dirty.note(id(4), {1});
  EXPECT_EQ(dirty.size(), 0u);
}

TEST(AdmissionTest, FirstComeFirstServedWithinBothBounds) {
  base::Limits limits;
  limits.hellos_in_flight_max = 2;
  limits.hellos_waiting_max = 2;
  Admission admission(limits);
  using Verdict = Admission::Verdict;
  EXPECT_EQ(admission.admit(1), Verdict::now);
  EXPECT_EQ(admission.admit(2), Verdict::now);
  EXPECT_EQ(admission.admit(3), Verdict::later);
  EXPECT_EQ(admission.admit(4), Verdict::later);
  EXPECT_EQ(admission.admit(5), Verdict::busy);
  EXPECT_EQ(admission.next(), std::nullopt);
  admission.finished(base::MonotonicTime(base::seconds(1)));
  EXPECT_EQ(admission.next(), 3u);
  EXPECT_EQ(admission.next(), std::nullopt);
  EXPECT_EQ(admission.admit(6), Verdict::later);
  EXPECT_EQ(admission.waiting(), 2u);
}

TEST(AdmissionTest, TheBacklogIsWhatTheLastOnesNeeded) {
  base::Limits limits;
  limits.hellos_in_flight_max = 1;
  Admission admission(limits);
  base::MonotonicTime now{};
  for (uint64_t n = 0; n < 200; ++n) admission.admit(n);
  for (int i = 0; i < 100; ++i) {
    now += base::milliseconds(10);
    admission.finished(now);
    admission.next();
  }
  EXPECT_GT(admission.backlog(), base::milliseconds(900));
  EXPECT_LT(admission.backlog(), base::milliseconds(1100));
}

}  // namespace
}  // namespace tidings::gateway
