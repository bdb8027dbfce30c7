#include "client/cpp/marking.h"

#include <gtest/gtest.h>

#include "client/cpp/rig_for_test.h"

namespace tidings::client {
namespace {

using base::MonotonicTime;
using std::chrono::seconds;

const model::ConversationId talk = model::direct_conversation({11}, {22});

// Somebody is removed and comes back before the device heard of either: its mark was refused meanwhile.
TEST(Marking, WhatWasRefusedIsSaidAgainOnceTheServerTellsOfTheMark) {
  SeededRandom random(1);
  Marking marking(random);
  const MonotonicTime start(seconds(100));
  wire::Request last = 0;
  marking.ready(start);
  marking.read(talk, {{6}, {600}}, {6}, false, start);
  ASSERT_EQ(marking.due(start, last).size(), 1u);
  marking.refuse({last, wire::Code::not_member, "", {}, {}}, start);
  marking.read(talk, {{7}, {700}}, {7}, false, start);
  EXPECT_TRUE(marking.due(start + seconds(3600), last).empty());
  const auto later = start + seconds(3600);
  marking.told(talk, {5}, {6}, false, later);
  const auto again = marking.due(later + seconds(30), last);
  ASSERT_EQ(again.size(), 1u);
  ASSERT_TRUE(again[0].read);
  EXPECT_EQ(again[0].read->seq.value, 7u);
}

}  // namespace
}  // namespace tidings::client
