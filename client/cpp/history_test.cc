// Which part of a conversation a client holds, and which sync it asks for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cpp/rig_for_test.h"

namespace tidings::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr model::UserId ann{11}, bob{22}, cid{33};

class HistoryTest : public testing::Test {
 protected:
  VirtualTime time;
  SmallServer server{time};
  Person client{server, ann, 1, CatchUp::newest};
  const model::ConversationId chat = server.chat_of(ann, bob);
  std::vector<Older> older;
  std::vector<wire::Code> refused;

  Core& core() { return *client.core; }
  Diary& diary() { return client.diary; }
  void go_online() {
    ASSERT_TRUE(core().connect().ok());
    time.run();
    ASSERT_EQ(core().connection(), Connection::online);
  }
  void say(int from, int to) {
    for (int n = from; n <= to; ++n) server.say(chat, bob, std::to_string(n));
  }
  Core::WhenOlder note() {
    return [this](const wire::Answer<Older>& answer) {
      if (answer.ok()) {
        older.push_back(*answer);
      } else {
        refused.push_back(answer.error().code);
      }
    };
  }
  const ConversationView& view() { return *core().conversation(chat); }
};

TEST_F(HistoryTest, BeginsAtTheHeadAndPullsNothing) {
  say(1, 100);
  go_online();
  EXPECT_THAT(server.got_of<wire::PullFrame>(), IsEmpty());
  EXPECT_EQ(view().have, (model::Cursor{{101}, server.chats[chat].events.back().id}));
  EXPECT_EQ(view().first, model::Seq{102});
  EXPECT_TRUE(view().earlier);
  EXPECT_EQ(view().unread, 100u);
  EXPECT_THAT(view().members, ElementsAre(ann, bob)) << "by their marks";
  EXPECT_EQ(diary().listed[chat], 1);
  say(101, 102);
  time.run();
  EXPECT_THAT(texts(diary().events[chat]), ElementsAre("101", "102"));
  EXPECT_EQ(view().unread, 102u);
  core().read(chat, view().head);
  EXPECT_EQ(view().unread, 0u);
  time.run_for(seconds(2));
  EXPECT_EQ(server.chats[chat].unread(ann), 0u);
}

TEST_F(HistoryTest, TheHeadMayBeReadWithoutItsEvent) {
  say(1, 10);
  go_online();
  core().read(chat, view().head);
  time.run_for(seconds(2));
  EXPECT_EQ(view().unread, 0u);
  EXPECT_EQ(server.chats[chat].unread(ann), 0u);
}

TEST_F(HistoryTest, WhatWasNeverPulledIsDeliveredByAnExplicitMark) {
  say(1, 10);
  go_online();
  EXPECT_EQ(server.chats[chat].states.at(ann).delivered, 11u) << "at the welcome";
  say(11, 11);
  time.run_for(seconds(2));
  EXPECT_EQ(server.chats[chat].states.at(ann).delivered, 12u) << "the server does not derive it here";
}

TEST_F(HistoryTest, OlderPagesAreFetchedDownToTheBeginning) {
  say(1, 25);
  go_online();
  core().history(chat, {27}, 10, note());
  EXPECT_THAT(older, IsEmpty());
  time.run();
  ASSERT_EQ(older.size(), 1u);
  EXPECT_EQ(older[0].events, 10u);
  EXPECT_TRUE(older[0].earlier);
  EXPECT_EQ(core().events(chat).size(), 10u);
  EXPECT_EQ(view().first, model::Seq{17});
  EXPECT_THAT(diary().events[chat], IsEmpty());
  core().history(chat, view().first, 10, note());
  core().history(chat, view().first, 20, note());
  time.run();
  ASSERT_EQ(older.size(), 3u);
  EXPECT_EQ(older[2].events, 6u);
  EXPECT_FALSE(older[2].earlier);
  EXPECT_EQ(core().events(chat), server.chats[chat].events);
  server.got.clear();
  core().history(chat, {1000}, 200, note());
  time.run();
  EXPECT_EQ(older.size(), 4u);
  EXPECT_THAT(server.got_of<wire::HistoryFrame>(), IsEmpty()) << "there is nothing more";
  core().read(chat, {20});
  EXPECT_EQ(view().unread, 6u) << "what is held is counted";
}

TEST_F(HistoryTest, GapsAboveAreStillPulled) {
  say(1, 5);
  go_online();
  server.lets_out = [](const std::string& text) { return text.find("\"6\"") == std::string::npos; };
  say(6, 6);
  server.lets_out = nullptr;
  say(7, 7);
  time.run_for(seconds(1));
  EXPECT_THAT(texts(diary().events[chat]), ElementsAre("6", "7"));
  server.up = false;
  server.cut();
  say(8, 9);
  server.up = true;
  time.run_for(seconds(20));
  EXPECT_THAT(texts(diary().events[chat]), ElementsAre("6", "7", "8", "9"));
  EXPECT_EQ(server.got_of<wire::PullFrame>().front().after, model::Seq{6});
}

TEST_F(HistoryTest, AConversationThatIsNewBeginsWithItsFirstEvent) {
  go_online();
  const auto young = server.chat_of(ann, cid);
  server.say(young, cid, "hi");
  time.run();
  EXPECT_EQ(diary().events[young], server.chats[young].events);
  const auto mine = [&] {
    std::optional<model::ConversationId> id;
    core().create_group("walk", {bob}, model::History::joining, [&](const auto& made) { id = made.value(); });
    time.run_for(seconds(1));
    return *id;
  }();
  EXPECT_EQ(diary().events[mine], server.chats[mine].events);
}

TEST_F(HistoryTest, AnOldGroupThatOneIsAddedToIsNotPulled) {
  const auto group = server.group(bob, {cid}, "walk");
  for (int n = 0; n < 50; ++n) server.say(group, bob, "before");
  go_online();
  server.got.clear();
  server.append(group, bob, server.fresh(), model::MembersAdded{{ann}});
  server.say(group, bob, "hello ann");
  time.run_for(seconds(1));
  ASSERT_NE(core().conversation(group), nullptr);
  EXPECT_EQ(core().conversation(group)->title, "walk");
  EXPECT_EQ(core().conversation(group)->member_count, 3u);
  EXPECT_EQ(core().conversation(group)->unread, 1u);
  EXPECT_THAT(texts(diary().events[group]), ElementsAre("hello ann"));
  for (const auto& pull : server.got_of<wire::PullFrame>()) EXPECT_GT(pull.after.value, 40u);
}

TEST_F(HistoryTest, AnotherDevicesMarkIsCountedEvenWhereNothingIsHeld) {
  say(1, 10);
  go_online();
  server.say(chat, ann, "from the desk");
  say(11, 12);
  time.run();
  ASSERT_EQ(view().unread, 12u);
  server.mark(chat, ann, 6, 5, 6);
  time.run_for(seconds(1));
  EXPECT_EQ(server.chats[chat].unread(ann), 7u);
  EXPECT_EQ(view().unread, 7u);
}

// As after a restore that lost a mark and no event.
TEST_F(HistoryTest, ARowThatDoesNotHelpIsNotAskedForForEver) {
  say(1, 10);
  go_online();
  server.got.clear();
  server.push(wire::encode(wire::Receipt{.conversation = chat, .marks = {{ann, {6}, {6}}}, .mark_count = 1}));
  time.run_for(seconds(20));
  EXPECT_EQ(server.got_of<wire::SyncFrame>().size(), 1u);
}

TEST_F(HistoryTest, AnotherHistoryStartsAtItsHead) {
  say(1, 5);
  go_online();
  const auto backup = server.backup();
  say(6, 8);
  time.run();
  server.restore(backup);
  server.say(chat, bob, "new");
  time.run_for(seconds(5));
  EXPECT_EQ(diary().resets, 1);
  EXPECT_EQ(view().have, (model::Cursor{{7}, server.chats[chat].events.back().id}));
  EXPECT_THAT(core().events(chat), IsEmpty());
  core().history(chat, {8}, 200, note());
  time.run();
  EXPECT_EQ(core().events(chat), server.chats[chat].events);
}

TEST_F(HistoryTest, OwnMessagesThatARestoreLostAreSentAgain) {
  say(1, 5);
  go_online();
  const auto backup = server.backup();
  ASSERT_TRUE(core().send(chat, {.text = "mine, lost"}).ok());
  time.run();
  server.restore(backup);
  server.say(chat, bob, "new");
  time.run_for(seconds(5));
  EXPECT_THAT(texts(server.chats[chat].events), ElementsAre("1", "2", "3", "4", "5", "new", "mine, lost"));
  EXPECT_EQ(core().events(chat), server.chats[chat].events);
}

TEST_F(HistoryTest, AHistoryOfAnotherHistoryIsRefused) {
  say(1, 5);
  go_online();
  auto& events = server.chats[chat].events;
  events.back().id = {events.back().id.value + 1};
  core().history(chat, {7}, 10, note());
  time.run_for(seconds(1));
  EXPECT_THAT(refused, ElementsAre(wire::Code::diverged));
  EXPECT_EQ(diary().resets, 1);
  EXPECT_EQ(view().have.id, events.back().id);
  core().history(model::ConversationId{{9}}, {7}, 10, note());
  time.run();
  EXPECT_THAT(refused, ElementsAre(wire::Code::diverged, wire::Code::not_found));
}

TEST_F(HistoryTest, APageThatDoesNotReachWhatIsHeldIsNotBelieved) {
  say(1, 50);
  go_online();
  bool once = true;
  server.instead = [&](const wire::ClientFrame& f) {
    const auto* history = std::get_if<wire::HistoryFrame>(&f);
    if (!history || !std::exchange(once, false)) return false;
    const auto& events = server.chats[chat].events;
    wire::PageFrame page{.request = history->request,
                         .conversation = chat,
                         .from = {3},
                         .upto = {3},
                         .head = {51},
                         .earlier = true};
    server.push(wire::encode_page(page, {wire::encode_event(events[2])}));
    return true;
  };
  core().history(chat, {52}, 10, note());
  time.run_for(seconds(5));
  EXPECT_GE(server.opened, 2);
  EXPECT_THAT(core().events(chat), IsEmpty());
  core().history(chat, {52}, 10, note());
  time.run_for(seconds(5));
  EXPECT_EQ(core().events(chat).size(), 10u);
}

// --- tiers of sync

class SyncTest : public HistoryTest {
 protected:
  SyncTest() {
    client.catch_up = CatchUp::everything;
    client.restart(server);
  }
  std::vector<wire::SyncFrame> syncs() { return server.got_of<wire::SyncFrame>(); }
  void come_back() {
    server.got.clear();
    server.cut();
    time.run_for(seconds(5));
    ASSERT_EQ(core().connection(), Connection::online);
  }
};

TEST_F(SyncTest, OnlyWhatHasChangedIsAskedForWhenTheServerSaysSo) {
  go_online();
  const uint64_t activity = server.last_activity;
  server.verdict = "changes";
  server.up = false;
  server.cut();
  say(1, 3);
  server.chat_of(ann, cid);
  server.up = true;
  server.got.clear();
  time.run_for(seconds(20));
  ASSERT_EQ(syncs().size(), 1u);
  EXPECT_EQ(syncs()[0].activity, model::Position{activity});
  EXPECT_THAT(syncs()[0].vector, IsEmpty());
  EXPECT_EQ(server.got_of<wire::Hello>().back().branch, "b1");
  EXPECT_EQ(server.got_of<wire::Hello>().back().newest->conversation, chat);
  EXPECT_EQ(core().conversations().size(), 2u);
  EXPECT_EQ(diary().events[chat], server.chats[chat].events);
  come_back();
  EXPECT_GT(syncs().at(0).activity, model::Position{activity});
}

TEST_F(SyncTest, AFullSyncNamesMarkCounts) {
  go_online();
  server.say(chat, ann, "hi");
  time.run();
  server.mark(chat, bob, 2, 1, 2);
  time.run();
  come_back();
  ASSERT_EQ(syncs().size(), 1u);
  EXPECT_FALSE(syncs()[0].activity);
  ASSERT_EQ(syncs()[0].vector.size(), 1u);
  EXPECT_EQ(syncs()[0].vector[0].mark_count, 1u);
}

TEST_F(SyncTest, ANewClientHasNothingToNameWhateverTheServerSays) {
  server.verdict = "changes";
  go_online();
  EXPECT_FALSE(syncs().at(0).activity);
  EXPECT_EQ(diary().events[chat], server.chats[chat].events);
}

// The cursor counts only with all of the list: what the second chunk would have told is not forgotten.
TEST_F(SyncTest, TheCursorOfASyncThatWasCutIsNotKept) {
  go_online();
  const uint64_t activity = server.last_activity;
  server.verdict = "changes";
  server.sync_rows_max = 2;
  server.up = false;
  server.cut();
  for (uint64_t n = 50; n < 56; ++n) server.chat_of(ann, {n});
  server.up = true;
  server.got.clear();
  server.instead = [&](const wire::ClientFrame& f) {
    if (!std::holds_alternative<wire::SyncFrame>(f) || syncs().size() < 2) return false;
    server.instead = nullptr;
    server.cut();
    return true;
  };
  time.run_for(seconds(30));
  ASSERT_GE(syncs().size(), 5u);
  for (const auto& sync : syncs()) EXPECT_EQ(sync.activity, model::Position{activity});
  EXPECT_EQ(core().conversations().size(), 7u);
  come_back();
  EXPECT_GT(syncs().at(0).activity, model::Position{activity});
}

// A restored server cannot say by it what has changed since.
TEST_F(SyncTest, TheCursorOfALostBranchIsNotUsedThoughTheSyncWasCut) {
  go_online();
  server.branch = "b2";
  server.instead = [&](const wire::ClientFrame& f) {
    if (!std::holds_alternative<wire::SyncFrame>(f)) return false;
    server.instead = nullptr;
    server.verdict = "changes";
    server.cut();
    return true;
  };
  come_back();
  ASSERT_EQ(syncs().size(), 2u);
  for (const auto& sync : syncs()) EXPECT_FALSE(sync.activity.has_value());
}

// A conversation that was listed and not yet pulled is pulled after the next sync, which does not list it
// again.
TEST_F(SyncTest, WhatWasListedAndNotPulledIsPulledLater) {
  go_online();
  server.verdict = "changes";
  server.up = false;
  server.cut();
  say(1, 3);
  server.up = true;
  server.instead = [](const wire::ClientFrame& f) { return std::holds_alternative<wire::PullFrame>(f); };
  time.run_for(seconds(10));
  EXPECT_EQ(core().connection(), Connection::syncing);
  server.instead = nullptr;
  come_back();
  EXPECT_EQ(diary().events[chat], server.chats[chat].events);
}

// "changes" means that the server vouches for its history: nothing is fetched again.
TEST_F(SyncTest, AServerThatMerelyRestartedIsBelieved) {
  go_online();
  server.verdict = "changes";
  server.branch = "b2";
  come_back();
  EXPECT_THAT(server.got_of<wire::PullFrame>(), IsEmpty());
}

}  // namespace
}  // namespace tidings::client
