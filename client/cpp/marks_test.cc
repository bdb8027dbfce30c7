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

class MarksTest : public testing::Test {
 protected:
  VirtualTime time;
  SmallServer server{time};
  Person client{server, ann};
  const model::ConversationId chat = server.chat_of(ann, bob);

  Core& core() { return *client.core; }
  void go_online() {
    ASSERT_TRUE(core().connect().ok());
    time.run();
    ASSERT_EQ(core().connection(), Connection::online);
  }
  const ConversationView& view() { return *core().conversation(chat); }
  std::vector<wire::MarkFrame> read_marks() {
    auto marks = server.got_of<wire::MarkFrame>();
    std::erase_if(marks, [](const auto& mark) { return !mark.read; });
    return marks;
  }
  void swallow_marks() {
    server.instead = [](const wire::ClientFrame& f) { return std::holds_alternative<wire::MarkFrame>(f); };
  }
};

TEST_F(MarksTest, ReadingMarksTheNewestEventHeldAndEmptiesTheBadgeAtOnce) {
  const auto one = server.say(chat, bob, "one");
  server.say(chat, bob, "two");
  go_online();
  EXPECT_EQ(view().unread, 2u);
  core().read(chat, {2});
  EXPECT_EQ(view().unread, 1u);
  time.run();
  ASSERT_EQ(read_marks().size(), 1u);
  EXPECT_EQ(read_marks()[0].read, (model::Cursor{one.seq, one.id}));
  EXPECT_EQ(read_marks()[0].read_ord, one.ord);
  EXPECT_FALSE(read_marks()[0].hidden);
  core().read(chat, {900});
  time.run_for(seconds(2));
  ASSERT_EQ(read_marks().size(), 2u);
  EXPECT_EQ(read_marks()[1].read->seq, model::Seq{3}) << "never above what is held";
  EXPECT_EQ(view().unread, 0u);
  EXPECT_EQ(view().mark_of(ann).read, model::Seq{3}) << "by the receipt";
  core().read(chat, {2});
  time.run_for(seconds(100));
  EXPECT_EQ(read_marks().size(), 2u) << "never down";
}

// What it says of a mark that it was not told of is refused from then on, so it shows what the server counts.
TEST_F(MarksTest, WhoIsRemovedBeforeAMarkArrivesSeesTheServersCount) {
  const auto group = server.group(bob, {ann});
  for (int n = 0; n < 5; ++n) server.say(group, bob, "hi");
  go_online();
  swallow_marks();
  core().read(group, {4});
  time.run();
  ASSERT_EQ(core().conversation(group)->unread, 2u);
  server.append(group, bob, server.fresh(), model::MemberRemoved{ann});
  time.run_for(seconds(1));
  ASSERT_TRUE(core().conversation(group)->left);
  EXPECT_EQ(core().conversation(group)->unread, 5u);
}

TEST_F(MarksTest, OneMarkASecondAndTheNewestWins) {
  for (int n = 0; n < 20; ++n) server.say(chat, bob, "hi");
  go_online();
  for (uint64_t seq = 2; seq <= 21; ++seq) {
    core().read(chat, {seq});
    time.run_for(milliseconds(100));
  }
  time.run_for(seconds(3));
  std::vector<uint64_t> seqs;
  for (const auto& mark : read_marks()) seqs.push_back(mark.read->seq.value);
  EXPECT_THAT(seqs, ElementsAre(2, 11, 21));
}

TEST_F(MarksTest, AMarkThatNobodyAnswersIsRepeatedEvery30sAndAtEachWelcome) {
  server.say(chat, bob, "one");
  go_online();
  swallow_marks();
  core().read(chat, {2});
  time.run_for(seconds(29));
  EXPECT_EQ(read_marks().size(), 1u);
  time.run_for(seconds(2));
  EXPECT_EQ(read_marks().size(), 2u);
  server.cut();
  time.run_for(seconds(2));
  EXPECT_EQ(read_marks().size(), 3u);
  server.instead = nullptr;
  server.cut();
  time.run_for(seconds(100));
  EXPECT_EQ(read_marks().size(), 4u) << "and no more once the server knows";
  EXPECT_EQ(server.chats[chat].states.at(ann).read, 2u);
}

TEST_F(MarksTest, AReadMarkThatTheServerKnowsIsNotRepeatedAlthoughTheReceiptWasLost) {
  server.say(chat, bob, "one");
  go_online();
  server.lets_out = [](const std::string& text) { return text.find("receipt") == std::string::npos; };
  core().read(chat, {2});
  time.run_for(seconds(100));
  EXPECT_EQ(read_marks().size(), 1u);
  server.lets_out = nullptr;
  server.cut();
  time.run_for(seconds(2));
  EXPECT_EQ(view().mark_of(ann).read, model::Seq{2}) << "the vector's mark_count brings it back";
}

TEST_F(MarksTest, WhatAcksDidNotTellIsTold) {
  go_online();
  time.run_for(seconds(1));
  server.got.clear();
  server.say(chat, bob, "one");
  time.run_for(seconds(29));
  EXPECT_THAT(server.got_of<wire::MarkFrame>(), IsEmpty()) << "the server derives it";
  time.run_for(seconds(3));
  ASSERT_EQ(server.got_of<wire::MarkFrame>().size(), 1u);
  EXPECT_EQ(server.got_of<wire::MarkFrame>()[0].delivered, model::Seq{2});
  EXPECT_FALSE(server.got_of<wire::MarkFrame>()[0].read);
  time.run_for(seconds(100));
  EXPECT_EQ(server.got_of<wire::MarkFrame>().size(), 1u);
  ASSERT_TRUE(core().send(chat, {.text = "mine"}).ok());
  time.run_for(seconds(100));
  EXPECT_EQ(server.got_of<wire::MarkFrame>().size(), 1u) << "own messages need none";
}

TEST_F(MarksTest, ADerivedDeliveryNeedsNoMark) {
  go_online();
  time.run_for(seconds(1));
  server.got.clear();
  server.say(chat, bob, "one");
  time.run_for(seconds(1));
  server.mark(chat, ann, 0, 0, 2);
  time.run_for(seconds(100));
  EXPECT_THAT(server.got_of<wire::MarkFrame>(), IsEmpty());
}

TEST_F(MarksTest, ADivergedMarkForgetsTheCopyAndItsMarks) {
  server.say(chat, bob, "one");
  go_online();
  auto& other = server.chats[chat].events.back();
  other.id = {other.id.value + 500};
  core().read(chat, {2});
  time.run_for(seconds(5));
  EXPECT_EQ(client.diary.resets, 1);
  EXPECT_EQ(core().events(chat), server.chats[chat].events);
  EXPECT_EQ(view().unread, 1u) << "not read under that id";
  EXPECT_EQ(server.chats[chat].states.at(ann).read, 1u);
}

TEST_F(MarksTest, AfterARestoreMarksAreThoseOfTheServer) {
  go_online();
  const auto backup = server.backup();
  for (int n = 0; n < 3; ++n) server.say(chat, bob, "lost");
  time.run();
  core().read(chat, {4});
  time.run_for(seconds(1));
  ASSERT_EQ(view().mark_of(ann).read, model::Seq{4});
  server.restore(backup);
  server.say(chat, bob, "new");
  time.run_for(seconds(5));
  EXPECT_EQ(view().mark_of(ann).read, model::Seq{1});
  EXPECT_EQ(view().unread, 1u);
}

// The copy agrees with the restored server, but the marks were of events of which it had only heard.
TEST_F(MarksTest, WhoHadReadWhatARestoreLostHasNotReadWhatCameInstead) {
  server.say(chat, ann, "kept");
  server.mark(chat, bob, 2, 1, 2);
  go_online();
  const auto backup = server.backup();
  model::Event early = server.chats[chat].events.back();
  early.seq = {7};
  early.from = bob;
  early.id = {early.id.value + 1000};
  early.client_id = server.fresh();
  server.push(wire::encode_event(early));
  server.push(wire::encode(wire::Receipt{
      .conversation = chat, .marks = {{.user = bob, .read = {7}, .delivered = {7}}}, .mark_count = 2}));
  time.run();
  ASSERT_EQ(view().mark_of(bob).read, model::Seq{7});
  server.restore(backup);
  for (int n = 0; n < 8; ++n) server.say(chat, ann, "new");
  time.run_for(seconds(5));
  EXPECT_EQ(client.diary.resets, 0);
  EXPECT_EQ(view().have.seq, model::Seq{10});
  EXPECT_EQ(view().mark_of(bob).read, model::Seq{2});
}

TEST_F(MarksTest, WhatAnotherDeviceReadFirstIsToldWhenTheServerHasForgottenIt) {
  server.say(chat, bob, "one");
  go_online();
  const auto backup = server.backup();
  server.mark(chat, ann, 2, 1, 2);
  time.run_for(seconds(1));
  ASSERT_EQ(view().mark_of(ann).read, model::Seq{2}) << "another device";
  core().read(chat, {2});
  time.run_for(seconds(2));
  ASSERT_THAT(read_marks(), IsEmpty()) << "it is known";
  server.restore(backup);
  time.run_for(seconds(60));
  EXPECT_EQ(server.chats[chat].states[ann].read, 2u);
}

// The list does not show it either: as many marks are counted there as the client has heard of.
TEST_F(MarksTest, AMarkThatARestoreForgotIsToldAgain) {
  server.say(chat, bob, "one");
  server.lets_out = [](const std::string& text) { return text.find("\"receipt\"") == std::string::npos; };
  go_online();
  const auto backup = server.backup();
  core().read(chat, {2});
  time.run_for(seconds(2));
  ASSERT_EQ(server.chats[chat].states[ann].read, 2u);
  server.restore(backup);
  time.run_for(seconds(60));
  EXPECT_EQ(server.chats[chat].states[ann].read, 2u);
}

TEST_F(MarksTest, ReceiptsBecomeTicks) {
  go_online();
  ASSERT_TRUE(core().send(chat, {.text = "hi"}).ok());
  time.run();
  EXPECT_EQ(core().ticks(chat, {2}), (Ticks{0, 0, 1}));
  EXPECT_EQ(core().ticks(chat, {2}).state(), Ticks::State::sent);
  server.mark(chat, bob, 0, 0, 2);
  time.run();
  EXPECT_EQ(core().ticks(chat, {2}).state(), Ticks::State::delivered);
  EXPECT_GE(client.diary.marks[chat], 1);
  server.mark(chat, bob, 2, 1, 2);
  time.run();
  EXPECT_EQ(core().ticks(chat, {2}).state(), Ticks::State::read);
  server.push(wire::encode(wire::Receipt{.conversation = chat, .marks = {{bob, {1}, {1}}}}));
  time.run();
  EXPECT_EQ(core().ticks(chat, {2}).state(), Ticks::State::read) << "maxima";
}

TEST_F(MarksTest, WhoJoinedLaterIsNotWaitedFor) {
  const auto group = server.group(ann, {bob});
  server.say(group, ann, "to bob");
  server.append(group, ann, server.fresh(), model::MembersAdded{{cid}});
  server.say(group, ann, "to both");
  go_online();
  EXPECT_EQ(core().ticks(group, {2}), (Ticks{0, 0, 1})) << "cid's mark began above it";
  EXPECT_EQ(core().ticks(group, {4}), (Ticks{0, 0, 2}));
  server.mark(group, bob, 4, 2, 4);
  time.run();
  EXPECT_EQ(core().ticks(group, {2}), (Ticks{1, 1, 1}));
  EXPECT_EQ(core().ticks(group, {4}), (Ticks{1, 1, 2}));
}

TEST_F(MarksTest, LargeGroupsAreCounted) {
  std::vector<model::UserId> many;
  for (uint64_t n = 100; n < 140; ++n) many.push_back({n});
  const auto group = server.group(ann, many);
  server.say(group, ann, "hi");
  server.say(group, ann, "all");
  go_online();
  EXPECT_EQ(core().ticks(group, {2}), (Ticks{0, 0, 40}));
  server.push(wire::encode(
      wire::Receipt{.conversation = group, .counts = {{{2}, 1, 7}, {{3}, 5, 6}}, .members = 41}));
  time.run();
  EXPECT_EQ(core().ticks(group, {3}), (Ticks{5, 6, 40}));
  EXPECT_EQ(core().ticks(group, {2}), (Ticks{5, 7, 40})) << "who has the later one has this one";
  core().focus(group);
  time.run();
  ASSERT_EQ(server.got_of<wire::FocusFrame>().size(), 1u);
  server.cut();
  time.run_for(seconds(2));
  ASSERT_EQ(server.got_of<wire::FocusFrame>().size(), 2u) << "each session is told";
  EXPECT_EQ(server.got_of<wire::FocusFrame>()[1].conversation, group);
}

TEST_F(MarksTest, GroupsThatWereLargeAreStillCounted) {
  const auto group = server.group(ann, {bob});
  server.say(group, ann, "hi");
  go_online();
  server.push(wire::encode(wire::Receipt{.conversation = group, .counts = {{{2}, 1, 1}}, .members = 2}));
  time.run();
  EXPECT_EQ(core().ticks(group, {2}), (Ticks{1, 1, 1})) << "two are left of many";
}

// --- acks

TEST_F(MarksTest, AcksAfterOneSecond) {
  go_online();
  time.run_for(seconds(2));
  server.got.clear();
  const uint64_t before = server.counted;
  server.say(chat, bob, "one");
  server.say(chat, bob, "two");
  time.run_for(milliseconds(900));
  EXPECT_THAT(server.got_of<wire::Ack>(), IsEmpty());
  time.run_for(milliseconds(200));
  ASSERT_EQ(server.got_of<wire::Ack>().size(), 1u);
  EXPECT_EQ(server.got_of<wire::Ack>()[0].received, before + 2);
  EXPECT_EQ(server.counted, before + 2);
  time.run_for(seconds(29));
  EXPECT_EQ(server.got_of<wire::Ack>().size(), 1u) << "pongs do not count";
}

TEST_F(MarksTest, AcksAfter128FramesAnd64KiBAndCountsAnewFromEachWelcome) {
  go_online();
  time.run_for(seconds(2));
  server.got.clear();
  for (int n = 0; n < 128; ++n) server.say(chat, bob, "hi");
  time.run();
  EXPECT_EQ(server.got_of<wire::Ack>().size(), 1u);
  for (int n = 0; n < 5; ++n) server.say(chat, bob, std::string(15'000, 'x'));
  time.run();
  ASSERT_EQ(server.got_of<wire::Ack>().size(), 2u);
  EXPECT_EQ(server.got_of<wire::Ack>()[1].received, server.counted);
  server.counted = 0;
  server.got.clear();
  server.cut();
  time.run_for(seconds(4));
  ASSERT_EQ(server.got_of<wire::Ack>().size(), 1u);
  EXPECT_EQ(server.got_of<wire::Ack>()[0].received, server.counted) << "one sync";
}

TEST_F(MarksTest, FramesOfUnknownTypesCount) {
  go_online();
  time.run_for(seconds(2));
  server.got.clear();
  const uint64_t before = server.counted;
  server.push(R"([{"type":"novelty"},{"type":"novelty","ephemeral":true}])");
  time.run_for(seconds(2));
  ASSERT_EQ(server.got_of<wire::Ack>().size(), 1u);
  EXPECT_EQ(server.got_of<wire::Ack>()[0].received, before + 1);
}

// What was dropped for want of room is not stored: it is acked only once it was pulled.
TEST_F(MarksTest, WhatWasNotKeptIsNotAcked) {
  go_online();
  time.run_for(seconds(2));
  server.got.clear();
  server.instead = [](const wire::ClientFrame& f) { return std::holds_alternative<wire::PullFrame>(f); };
  server.lets_out = [](const std::string& text) { return text.find("lost") == std::string::npos; };
  server.say(chat, bob, "lost");
  for (size_t n = 0; n <= held_early_max; ++n) server.say(chat, bob, "x");
  time.run_for(seconds(3));
  EXPECT_EQ(server.got_of<wire::Ack>().back().received, server.counted - 2) << "all but lost and dropped";
  // A server that waits for acks would leave the pulls unread.
  for (size_t n = 0; n < 300; ++n) server.say(chat, bob, "x");
  time.run_for(seconds(3));
  EXPECT_GT(server.got_of<wire::Ack>().back().received, server.counted - 256);
  server.lets_out = nullptr;
  server.instead = nullptr;
  time.run_for(seconds(100));
  ASSERT_TRUE(core().events(chat) == server.chats[chat].events);
  ASSERT_FALSE(server.got_of<wire::Ack>().empty());
  EXPECT_EQ(server.got_of<wire::Ack>().back().received, server.counted - 1) << "all but the lost one";
}

}  // namespace
}  // namespace tidings::client
