#include "gateway/places.h"

#include <gtest/gtest.h>

namespace tidings::gateway {
namespace {

model::ConversationId id(uint8_t n) {
  model::ConversationId out;
  out.bytes[0] = n;
  return out;
}

model::ConversationId last() {
  model::ConversationId out;
  out.bytes.fill(0xff);
  return out;
}

using Marks = std::vector<Places::Delivered>;
const Marks none;

class PlacesTest : public testing::Test {
 protected:
  // One chunk over everything.
  Marks sync(std::vector<model::ConversationId> listed = {}) {
    return places_.synced({}, last(), {}, listed);
  }

  Places places_{4, 8};
};

TEST_F(PlacesTest, AnAckMakesTheNewestEventOfEachConversationAMark) {
  sync();
  places_.event(1, id(1), {5});
  places_.event(2, id(2), {9});
  places_.event(3, id(1), {6});
  EXPECT_EQ(places_.acked(0), none);
  EXPECT_EQ(places_.acked(2), (Marks{{id(1), {5}}, {id(2), {9}}}));
  EXPECT_EQ(places_.acked(2), none) << "an ack counts once";
  EXPECT_EQ(places_.acked(1000), (Marks{{id(1), {6}}}));
  EXPECT_EQ(places_.waiting(), 0u);
}

TEST_F(PlacesTest, WhatASyncListedIsNotContiguousUntilTheEndOfAPull) {
  sync({id(1)});
  places_.event(1, id(1), {5});
  places_.event(2, id(2), {3});
  EXPECT_EQ(places_.acked(2), (Marks{{id(2), {3}}})) << "the device may lack what lies below";
  places_.end_of_pull(3, id(1), {6});
  places_.event(4, id(1), {7});
  EXPECT_EQ(places_.acked(3), (Marks{{id(1), {6}}}));
  EXPECT_EQ(places_.acked(4), (Marks{{id(1), {7}}}));
}

TEST_F(PlacesTest, ALaterSyncUnsettlesAgain) {
  sync();
  places_.event(1, id(1), {5});
  sync({id(1)});
  places_.event(2, id(1), {6});
  EXPECT_EQ(places_.acked(2), (Marks{{id(1), {5}}})) << "what was contiguous when it was written still is";
}

TEST_F(PlacesTest, NothingCountsBeforeTheFirstSyncIsCompleteAndThenItDoes) {
  places_.event(1, id(1), {5});
  EXPECT_EQ(places_.acked(1), none);
  places_.event(2, id(1), {6});
  places_.event(3, id(2), {2});
  EXPECT_EQ(places_.synced({}, id(100), {}, {id(2)}), none) << "half of it";
  EXPECT_EQ(places_.acked(2), none);
  EXPECT_EQ(places_.synced(id(101), last(), {}, {}), none) << "there is a hole between the chunks";
  EXPECT_EQ(places_.synced(id(100), last(), {}, {}), (Marks{{id(1), {6}}}));
  EXPECT_EQ(places_.acked(9), none) << "the second was listed after its event came";
}

TEST_F(PlacesTest, AnAnswerThatWasCutEndsWhereItSays) {
  places_.event(1, id(1), {5});
  places_.acked(1);
  EXPECT_EQ(places_.synced({}, last(), id(50), {}), none);
  EXPECT_EQ(places_.synced(id(51), last(), {}, {}), none);
  EXPECT_EQ(places_.synced(id(50), last(), {}, {}), (Marks{{id(1), {5}}}));
}

TEST_F(PlacesTest, APullDuringTheFirstSyncCountsWhenThatIsComplete) {
  places_.synced({}, id(100), {}, {id(1)});
  places_.end_of_pull(1, id(1), {8});
  EXPECT_EQ(places_.acked(1), none);
  EXPECT_EQ(places_.synced(id(100), last(), {}, {}), (Marks{{id(1), {8}}}));
}

TEST_F(PlacesTest, BeyondTheBoundAConversationWaitsForItsNextPull) {
  sync();
  for (uint64_t n = 1; n <= 4; ++n) places_.event(n, id(1), {n});
  places_.event(5, id(2), {5});
  EXPECT_EQ(places_.waiting(), 4u);
  EXPECT_EQ(places_.acked(5), (Marks{{id(1), {4}}}));
  places_.event(6, id(2), {6});
  EXPECT_EQ(places_.acked(6), none);
  places_.end_of_pull(7, id(2), {6});
  EXPECT_EQ(places_.acked(7), (Marks{{id(2), {6}}}));
}

TEST_F(PlacesTest, WhatWasAckedEarlyIsBoundedToo) {
  for (uint8_t n = 1; n <= 20; ++n) {
    places_.event(n, id(n), {1});
    places_.acked(n);
    EXPECT_LE(places_.waiting(), 4u);
  }
  EXPECT_LE(sync().size(), 4u);
}

TEST_F(PlacesTest, WithTooManyUnsettledConversationsNoneIsContiguousAnyMore) {
  std::vector<model::ConversationId> listed;
  for (uint8_t n = 1; n <= 9; ++n) listed.push_back(id(n));
  sync(listed);
  places_.event(1, id(100), {1});
  places_.end_of_pull(2, id(1), {1});
  EXPECT_EQ(places_.acked(2), none);
  EXPECT_EQ(places_.waiting(), 0u);
}

}  // namespace
}  // namespace tidings::gateway
