#include "client/cpp/unread.h"

#include <random>

#include <gtest/gtest.h>

#include "client/cpp/rig_for_test.h"

namespace tidings::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr model::UserId ann{11}, bob{22};

model::Event said(uint64_t seq, uint64_t ord, model::UserId from) {
  return {.seq = {seq},
          .ord = {ord},
          .id = {seq},
          .from = from,
          .client_id = {{1}},
          .body = model::MessageCreated{{.text = "x"}}};
}

TEST(Unread, CountsOthersAboveTheMarkAndNeverOnesOwn) {
  Unread unread;
  unread.apply({.seq = {1}, .from = bob, .client_id = {{1}}, .body = model::ConversationCreated{}}, ann);
  EXPECT_EQ(unread.count(), 0u);
  unread.apply(said(2, 1, bob), ann);
  unread.apply(said(3, 2, ann), ann);
  unread.apply(said(4, 3, bob), ann);
  EXPECT_EQ(unread.count(), 2u);
  unread.read({2}, {1});
  EXPECT_EQ(unread.count(), 1u);
  unread.read({1}, {0});
  EXPECT_EQ(unread.count(), 1u) << "never down";
  unread.read({4}, {3});
  EXPECT_EQ(unread.count(), 0u);
  unread.apply(said(5, 4, ann), ann);
  EXPECT_EQ(unread.count(), 0u);
  EXPECT_EQ(unread.read_to(), model::Seq{5}) << "sending with nothing unread reads";
}

TEST(Unread, GoesOnFromWhatASyncTold) {
  Unread unread;
  unread.anchor({10}, {8}, {4}, {3}, 2);  // three of one's own among the five above the mark
  EXPECT_EQ(unread.count(), 2u);
  unread.apply(said(11, 9, bob), ann);
  EXPECT_EQ(unread.count(), 3u);
  unread.read({6}, {5});
  EXPECT_TRUE(unread.unsure());
  std::deque<model::Event> above;
  for (uint64_t seq = 7; seq <= 11; ++seq)
    above.push_back(said(seq, seq - 2, seq == 8 || seq == 9 ? ann : bob));
  unread.recount(above, ann);
  EXPECT_FALSE(unread.unsure());
  EXPECT_EQ(unread.count(), 2u);
}

// Any interleaving of what both sides say, on two devices, and of marks: the view has what the server has.
TEST(UnreadUnderTraffic, IsWhatAStraightforwardCountSays) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    VirtualTime time;
    SmallServer server(time);
    const auto chat = server.chat_of(ann, bob);
    std::mt19937_64 dice(seed);
    Person phone(server, ann, seed, seed % 2 ? CatchUp::everything : CatchUp::newest);
    Person desk(server, ann, seed + 100);
    for (uint64_t n = dice() % 5; n > 0; --n) server.say(chat, dice() % 2 ? ann : bob, "before");
    ASSERT_TRUE(phone.core->connect().ok());
    ASSERT_TRUE(desk.core->connect().ok());
    time.run();
    // With an even seed nobody ever reads for a while: the server forgets own messages beyond the 64th.
    const uint64_t reads = seed % 4 == 0 ? 200 : 6;
    for (int step = 0; step < 300; ++step) {
      Person& who = dice() % 2 ? phone : desk;
      switch (dice() % 10) {
        case 0:
        case 1:
        case 2:
          server.say(chat, bob, "theirs");
          break;
        case 3:
        case 4:
        case 5:
        case 6:
          ASSERT_TRUE(who.core->send(chat, {.text = "mine"}).ok());
          break;
        case 7:
          if (dice() % 4 == 0) server.cut();
          break;
        default:
          if (dice() % reads < 2) {
            const auto* view = who.core->conversation(chat);
            if (view) who.core->read(chat, {1 + dice() % view->head.value});
          }
      }
      time.run_for(milliseconds(dice() % 3 == 0 ? 1500 : dice() % 20));
      if (step % 30 != 29) continue;
      time.run_for(seconds(70));
      const auto& state = server.chats[chat].states.at(ann);
      const auto& events = server.chats[chat].events;
      const auto straight =
          static_cast<uint64_t>(std::count_if(events.begin(), events.end(), [&](const auto& e) {
            return e.from == bob && is_countable(e) && e.ord.value > state.read_ord;
          }));
      ASSERT_EQ(server.chats[chat].unread(ann), straight);
      ASSERT_EQ(phone.core->conversation(chat)->unread, straight) << step;
      ASSERT_EQ(desk.core->conversation(chat)->unread, straight) << step;
    }
  }
}

}  // namespace
}  // namespace tidings::client
