#include "gateway/marks.h"

#include "test/gateway/fixture.h"

namespace tidings::gateway {
namespace {

using wire::Code;

class MarksTest : public testing::Test {
 protected:
  static MarkKey key(uint64_t user, uint8_t conversation = 1) {
    model::ConversationId id;
    id.bytes[0] = conversation;
    return {{user}, id};
  }
  // The seqs handed over since the last call.
  std::vector<uint64_t> take() { return std::exchange(handed_over_, {}); }
  using Seqs = std::vector<uint64_t>;

  VirtualTime time_;
  VirtualExecutor executor_{time_};
  base::Limits limits_ = [] {
    base::Limits limits;
    limits.marks_waiting_max = 3;
    return limits;
  }();
  base::Registry metrics_;
  bool full_ = false;
  std::vector<uint64_t> handed_over_;
  Marks marks_{{executor_, time_, limits_, metrics_.gauge("waiting"), metrics_.counter("dropped"),
                [this](const MarkKey&, model::Seq seq) {
                  if (!full_) handed_over_.push_back(seq.value);
                  return !full_;
                }}};
};

TEST_F(MarksTest, TheFirstGoesAtOnceThenTheNewestOnceASecond) {
  marks_.delivered(key(1), {3});
  EXPECT_EQ(take(), Seqs{3});
  marks_.answered(key(1), {});
  marks_.delivered(key(1), {4});
  marks_.delivered(key(1), {6});
  marks_.delivered(key(1), {5});
  executor_.advance(base::milliseconds(999));
  EXPECT_EQ(take(), Seqs{});
  executor_.advance(base::milliseconds(1));
  EXPECT_EQ(take(), Seqs{6});
  marks_.answered(key(1), {});
  executor_.advance(base::seconds(5));
  EXPECT_EQ(take(), Seqs{});
  EXPECT_EQ(marks_.size(), 0u) << "nothing is kept of what is done";
  EXPECT_EQ(metrics_.values()["waiting"], 0);
}

TEST_F(MarksTest, OneConversationDoesNotWaitForAnother) {
  marks_.delivered(key(1), {3});
  marks_.delivered(key(1, 2), {4});
  marks_.delivered(key(2), {5});
  EXPECT_EQ(take(), (Seqs{3, 4, 5}));
}

TEST_F(MarksTest, WithoutAnAnswerTheNextOneWaits) {
  marks_.delivered(key(1), {3});
  take();
  marks_.delivered(key(1), {4});
  executor_.advance(base::seconds(5));
  EXPECT_EQ(take(), Seqs{});
  marks_.answered(key(1), {});
  EXPECT_EQ(take(), Seqs{4});
}

TEST_F(MarksTest, AFullLinkAndABusyCoreAreTriedAgainASecondLater) {
  full_ = true;
  marks_.delivered(key(1), {3});
  full_ = false;
  EXPECT_EQ(take(), Seqs{});
  executor_.advance(base::seconds(1));
  EXPECT_EQ(take(), Seqs{3});
  marks_.answered(key(1), Code::busy);
  EXPECT_EQ(take(), Seqs{});
  executor_.advance(base::seconds(1));
  EXPECT_EQ(take(), Seqs{3});
  executor_.advance(base::seconds(4));
  marks_.answered(key(1), Code::storage_full);
  EXPECT_EQ(take(), Seqs{}) << "not in a circle";
  executor_.advance(base::seconds(1));
  EXPECT_EQ(take(), Seqs{3});
}

TEST_F(MarksTest, ARefusalThatIsFinalEndsIt) {
  for (const Code code : {Code::not_found, Code::not_member, Code::diverged, Code::internal}) {
    marks_.delivered(key(1), {3});
    EXPECT_EQ(take(), Seqs{3});
    marks_.answered(key(1), code);
    executor_.advance(base::seconds(5));
    EXPECT_EQ(take(), Seqs{});
    EXPECT_EQ(marks_.size(), 0u);
  }
}

TEST_F(MarksTest, WhatWasUnderWayWhenALinkBrokeIsSentAgain) {
  marks_.delivered(key(1), {3});
  marks_.delivered(key(2), {4});
  marks_.answered(key(2), {});
  take();
  marks_.lost();
  marks_.answered(key(1), {});
  executor_.advance(base::seconds(1));
  EXPECT_EQ(take(), Seqs{3}) << "an answer of before counts for nothing";
}

TEST_F(MarksTest, BeyondTheBoundNewOnesAreDroppedAndCounted) {
  for (uint64_t user = 1; user <= 5; ++user) marks_.delivered(key(user), {1});
  EXPECT_EQ(take().size(), 3u);
  EXPECT_EQ(metrics_.values()["dropped"], 2);
  EXPECT_EQ(metrics_.values()["waiting"], 3);
  for (uint64_t user = 1; user <= 3; ++user) marks_.answered(key(user), {});
  executor_.advance(base::seconds(1));
  marks_.delivered(key(5), {1});
  EXPECT_EQ(take(), Seqs{1});
}

TEST_F(MarksTest, ManyInTheSameSecondEachKeepTheirPause) {
  marks_.delivered(key(1), {1});
  executor_.advance(base::milliseconds(500));
  marks_.delivered(key(2), {1});
  marks_.answered(key(1), {});
  marks_.answered(key(2), {});
  marks_.delivered(key(1), {2});
  marks_.delivered(key(2), {3});
  take();
  executor_.advance(base::milliseconds(500));
  EXPECT_EQ(take(), Seqs{2});
  executor_.advance(base::milliseconds(499));
  EXPECT_EQ(take(), Seqs{});
  executor_.advance(base::milliseconds(1));
  EXPECT_EQ(take(), Seqs{3});
}

}  // namespace
}  // namespace tidings::gateway
