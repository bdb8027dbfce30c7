#include "model/ids.h"

#include <gtest/gtest.h>

namespace tidings::model {
namespace {

constexpr UserId ann{6203148551893217421}, bob{1184467440737095516};
const ClientId create{*parse_uuid("01a20038-10b7-71a6-ac4d-5e6f708192a6")};

// Ids that are computed from others stand in logs and on devices: these are the values for ever, as computed
// by another program (Python's hashlib).
TEST(Ids, ComputedIdsStayAsTheyAre) {
  EXPECT_EQ(to_text(direct_conversation(ann, bob)), "d3b06a5f-50f6-862e-bf57-187b54999b5b");
  EXPECT_EQ(direct_conversation(bob, ann), direct_conversation(ann, bob));
  EXPECT_EQ(to_text(group_conversation(ann, create)), "20b71785-4944-8583-92c3-a225a5d44baa");
  EXPECT_EQ(to_text(self_conversation(ann)), "9dba716e-b029-8e24-9d11-2da5e2f608fd");
  EXPECT_EQ(to_text(self_conversation(bob)), "6ab9d3ca-fe04-8ca7-aca7-44a8a0ad2bf4");
  EXPECT_EQ(to_text(create_client_id(create)), "9f53068e-cb25-8b8c-82cb-da873b23467e");
}

TEST(Ids, GroupsDifferByCreatorAndByClientId) {
  EXPECT_NE(group_conversation(ann, create), group_conversation(bob, create));
  EXPECT_NE(group_conversation(ann, create), group_conversation(ann, create_client_id(create)));
}

TEST(Ids, UuidsAreReadInEitherCaseAndInNoOtherForm) {
  EXPECT_EQ(parse_uuid("01A20038-10B7-71a6-ac4d-5e6f708192a6"), create.bytes);
  for (const char* text : {"", "01a20038-10b7-71a6-ac4d-5e6f708192a", "01a20038-10b7-71a6-ac4d-5e6f708192a66",
                           "{01a20038-10b7-71a6-ac4d-5e6f708192a6}", "01a2003810b771a6ac4d5e6f708192a6",
                           "01a20038-10b7-71a6-ac4d-5e6f708192g6", "01a20038+10b7-71a6-ac4d-5e6f708192a6"}) {
    EXPECT_FALSE(parse_uuid(text)) << text;
  }
}

TEST(Ids, DecimalsHaveOneForm) {
  EXPECT_EQ(parse_decimal("0"), 0u);
  EXPECT_EQ(parse_decimal("18446744073709551615"), ~uint64_t{0});
  for (const char* text : {"", "00", "01", "-1", "+1", " 1", "1 ", "1.0", "18446744073709551616"}) {
    EXPECT_FALSE(parse_decimal(text)) << text;
  }
}

TEST(Ids, TimesComeBackOutOfIds) {
  const auto time = base::wall_from_ms(1795300000123);
  EXPECT_EQ(message_time(message_id(time, {1023}, {~uint64_t{0}})), time);
  EXPECT_LT(message_id(time, {1023}, {4095}), message_id(time + base::milliseconds(1), {0}, {0}));
  const auto v7 = uuid_v7(time, ~uint64_t{0}, ~uint64_t{0});
  EXPECT_EQ(uuid_v7_time(v7), time);
  EXPECT_EQ(ClientId{v7}.version(), 7);
}

}  // namespace
}  // namespace tidings::model
