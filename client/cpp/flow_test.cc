// What a server with limits asks of a client: to pull what was left out, to come back later, to be slower.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cpp/rig_for_test.h"

namespace tidings::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr model::UserId ann{11}, bob{22};

class FlowTest : public testing::Test {
 protected:
  VirtualTime time;
  SmallServer server{time};
  Person client{server, ann};
  const model::ConversationId chat = server.chat_of(ann, bob);

  Core& core() { return *client.core; }
  Diary& diary() { return client.diary; }
  void go_online() {
    ASSERT_TRUE(core().connect().ok());
    time.run();
    ASSERT_EQ(core().connection(), Connection::online);
  }
  void send(const std::string& text) {
    EXPECT_TRUE(core().send(chat, {model::MessageKind::text, text}).ok());
  }
  std::vector<std::string> seen() { return texts(diary().events[chat]); }
  void leave_out(const std::function<void()>& what) {
    server.lets_out = [](const std::string&) { return false; };
    what();
    server.lets_out = nullptr;
  }
  // Answers each frame of this type with a refusal, the first `times` times.
  template <class Frame>
  void refuse(int times, wire::ErrorFrame error) {
    server.instead = [this, left = times, error](const wire::ClientFrame& frame) mutable {
      const auto* one = std::get_if<Frame>(&frame);
      if (!one || left <= 0) return false;
      --left;
      refused_at.push_back(time.monotonic());
      if constexpr (requires { one->request; }) error.request = one->request;
      server.push(wire::encode(error));
      if (!error.request) server.cut(1013, "");
      return true;
    };
  }
  std::vector<base::MonotonicTime> refused_at;
};

// --- dirty

TEST_F(FlowTest, WhatIsDirtyIsPulledAlsoIfItsHeadIsHeld) {
  server.say(chat, bob, "one");
  const auto other = server.chat_of(ann, {33});
  go_online();
  server.got.clear();
  leave_out([&] {
    server.mark(chat, bob, 2, 1, 2);
    server.say(other, {33}, "left out");
  });
  server.push(wire::encode(wire::Dirty{{{chat, {2}}, {other, {}}, {server.group(ann, {bob}), {}}}, false}));
  time.run_for(seconds(1));
  EXPECT_EQ(core().conversation(chat)->mark_of(bob).read, model::Seq{2});
  EXPECT_THAT(texts(diary().events[other]), ElementsAre("left out"));
  EXPECT_EQ(core().conversations().size(), 3u);
  EXPECT_EQ(server.got_of<wire::PullFrame>().size(), 3u);
  EXPECT_EQ(core().connection(), Connection::online);
}

TEST_F(FlowTest, ADirtyConversationThatCannotBePulledNowIsPulledLater) {
  go_online();
  leave_out([&] { server.mark(chat, bob, 1, 0, 1); });
  refuse<wire::PullFrame>(2, {.code = wire::Code::busy});
  server.push(wire::encode(wire::Dirty{{{chat, {1}}}, false}));
  time.run_for(seconds(5));
  EXPECT_EQ(refused_at.size(), 2u);
  EXPECT_EQ(core().conversation(chat)->mark_of(bob).read, model::Seq{1});
}

TEST_F(FlowTest, ADirtyListIsSyncedFromTheCursor) {
  go_online();
  server.got.clear();
  const uint64_t activity = server.last_activity;
  leave_out([&] { server.say(chat, bob, "left out"); });
  server.say(chat, bob, "live");
  server.push(wire::encode(wire::Dirty{{}, true}));
  server.push(wire::encode(wire::Dirty{{}, true}));
  server.say(chat, bob, "after it");
  time.run_for(seconds(1));
  EXPECT_THAT(seen(), ElementsAre("left out", "live", "after it"));
  const auto syncs = server.got_of<wire::SyncFrame>();
  ASSERT_EQ(syncs.size(), 2u) << "the second one may say more than the first";
  EXPECT_EQ(syncs[0].activity, model::Position{activity});
  EXPECT_THAT(syncs[0].vector, IsEmpty());
  send("still here");
  time.run_for(seconds(1));
  EXPECT_EQ(diary().events[chat], server.chats[chat].events);
  EXPECT_EQ(diary().resets, 0);
}

// Its session outlived a start of the core: what it holds from now on is of the newer branch.
TEST_F(FlowTest, TheNextHelloSaysTheBranchThatADirtyNamed) {
  go_online();
  server.push(wire::encode(wire::Dirty{.branch = "b2"}));
  time.run_for(seconds(1));
  server.forget_sessions();
  server.got.clear();
  server.cut();
  time.run_for(seconds(30));
  const auto hellos = server.got_of<wire::Hello>();
  ASSERT_FALSE(hellos.empty());
  EXPECT_EQ(hellos.back().branch, "b2");
}

TEST_F(FlowTest, ARowThatWasOvertakenByAPageIsNoOtherHistory) {
  go_online();
  leave_out([&] { server.say(chat, bob, "left out"); });
  // The row is made, then a page goes past it, then the row comes.
  std::string row;
  server.lets_out = [&](const std::string& text) {
    if (text.find("\"sync\"") == std::string::npos) return true;
    row = text;
    return false;
  };
  std::optional<wire::PullFrame> pull;
  server.instead = [&](const wire::ClientFrame& frame) {
    if (const auto* one = std::get_if<wire::PullFrame>(&frame); one && !pull) {
      pull = *one;
      return true;
    }
    return false;
  };
  server.push(wire::encode(wire::Dirty{{{chat, {}}}, false}));
  time.run();
  server.push(wire::encode(wire::Dirty{{}, true}));
  time.run();
  ASSERT_FALSE(row.empty());
  ASSERT_TRUE(pull);
  leave_out([&] { server.say(chat, bob, "later"); });
  const auto& events = server.chats[chat].events;
  server.push(wire::encode_page(
      {.request = pull->request, .conversation = chat, .from = {2}, .upto = {3}, .head = {3}},
      {wire::encode_event(events[1]), wire::encode_event(events[2])}));
  server.push(row);
  time.run_for(seconds(1));
  EXPECT_EQ(diary().resets, 0);
  EXPECT_THAT(seen(), ElementsAre("left out", "later"));
}

// Acks flow while the client catches up, so that a server with bounds neither waits for it nor gives it up.
TEST_F(FlowTest, AColdStartWithManyConversationsEndsAlthoughMoreComesAllTheTime) {
  server.resumes = true;
  server.unacked_frames_max = 512;
  server.thinks = [] { return milliseconds(1); };
  std::vector<model::ConversationId> chats;
  for (uint64_t n = 0; n < 2000; ++n) chats.push_back(server.chat_of(ann, {1000 + n}));
  ASSERT_TRUE(core().connect().ok());
  std::mt19937_64 dice(1);
  int said = 0;
  while (core().connection() != Connection::online && said < 200'000) {
    for (int n = 0; n < 5; ++n, ++said) {
      const uint64_t who = dice() % chats.size();
      server.say(chats[who], {1000 + who}, "live");
    }
    time.run_for(milliseconds(2));
  }
  EXPECT_LT(said, 200'000);
  EXPECT_LT(server.ring_frames_most, 600u);
  time.run_for(seconds(30));
  EXPECT_EQ(server.opened, 1);
  for (const auto& [id, one] : server.chats) ASSERT_EQ(diary().events[id], one.events);
}

TEST_F(FlowTest, APullOfAThousandPagesEndsAlthoughMoreIsSaidAllTheTime) {
  server.resumes = true;
  server.unacked_frames_max = 512;
  server.page_events_max = 7;
  server.thinks = [] { return milliseconds(1); };
  for (int n = 0; n < 7000; ++n) server.say(chat, bob, "old");
  ASSERT_TRUE(core().connect().ok());
  int said = 0;
  // A page takes two milliseconds and brings seven.
  for (; core().conversation(chat) == nullptr || core().conversation(chat)->have.seq.value < 7000; ++said) {
    ASSERT_LT(said, 20'000);
    server.say(chat, bob, "live");
    server.say(chat, bob, "live");
    time.run_for(milliseconds(1));
  }
  EXPECT_LT(server.ring_frames_most, 600u);
  time.run_for(seconds(30));
  EXPECT_EQ(server.opened, 1);
  EXPECT_EQ(diary().events[chat], server.chats[chat].events);
}

TEST_F(FlowTest, WhatAServerLeftOutIsPulledWhenItSaysSo) {
  server.resumes = true;
  server.unacked_frames_max = 20;  // below the number after which a client acks at once
  go_online();
  for (int round = 0; round < 10; ++round) {
    for (int n = 0; n < 50; ++n) server.say(chat, bob, "x");
    time.run_for(milliseconds(1500));
  }
  time.run_for(seconds(5));
  EXPECT_GT(server.dirty_count, 5);
  EXPECT_EQ(server.opened, 1);
  EXPECT_EQ(diary().events[chat], server.chats[chat].events);
  EXPECT_EQ(core().conversation(chat)->unread, server.chats[chat].unread(ann));
}

// --- moved

TEST_F(FlowTest, AServerThatGoesDownIsLeftAndComeBackTo) {
  go_online();
  send("before");
  server.push(wire::encode(wire::Moved{1200}));
  time.run();
  EXPECT_EQ(core().connection(), Connection::offline);
  EXPECT_EQ(diary().last_why, wire::Code::draining);
  EXPECT_EQ(diary().waits.back(), milliseconds(1200));
  EXPECT_EQ(server.session_count(), 0u);
  time.run_for(milliseconds(1190));
  EXPECT_EQ(server.opened, 1);
  time.run_for(milliseconds(20));
  EXPECT_EQ(core().connection(), Connection::online);
  EXPECT_THAT(seen(), ElementsAre("before"));
}

// --- a token

TEST_F(FlowTest, ANewTokenIsSaidByTheNextHello) {
  go_online();
  core().set_token("another");
  time.run_for(seconds(5));
  EXPECT_EQ(server.opened, 1);
  server.cut();
  time.run_for(seconds(1));
  const auto hellos = server.got_of<wire::Hello>();
  ASSERT_EQ(hellos.size(), 2u);
  EXPECT_EQ(hellos[0].token, "token");
  EXPECT_EQ(hellos[1].token, "another");
}

// --- rate_limited

TEST_F(FlowTest, SendsThatAreTooFastWaitAndKeepTheirOrder) {
  go_online();
  // Ten at once, then ten a second.
  double tokens = 10;
  base::MonotonicTime last = time.monotonic();
  int refused = 0;
  server.instead = [&](const wire::ClientFrame& frame) {
    const auto* one = std::get_if<wire::MessageSend>(&frame);
    if (!one) return false;
    tokens += std::chrono::duration<double>(time.monotonic() - last).count() * 10;
    last = time.monotonic();
    if (tokens >= 1) {
      tokens -= 1;
      return false;
    }
    ++refused;
    server.push(wire::encode(
        wire::ErrorFrame{.request = one->request, .code = wire::Code::rate_limited, .retry_ms = 100}));
    return true;
  };
  const auto other = server.chat_of(ann, {33});
  std::vector<std::string> expected;
  for (int n = 0; n < 100; ++n) {
    expected.push_back(std::to_string(n));
    send(expected.back());
    ASSERT_TRUE(core().send(other, {model::MessageKind::text, expected.back()}).ok());
  }
  time.run_for(seconds(25));
  EXPECT_EQ(seen(), expected);
  EXPECT_EQ(texts(diary().events[other]), expected);
  EXPECT_THAT(diary().failed, IsEmpty());
  EXPECT_LT(refused, 250) << "about one in a tenth of a second";
}

TEST_F(FlowTest, SendsThatAreTooFastWaitAlsoWithoutATime) {
  go_online();
  refuse<wire::MessageSend>(4, {.code = wire::Code::rate_limited});
  send("hi");
  time.run_for(seconds(60));
  ASSERT_EQ(refused_at.size(), 4u);
  for (size_t n = 1; n < refused_at.size(); ++n) EXPECT_GE(refused_at[n] - refused_at[n - 1], seconds(1));
  EXPECT_THAT(seen(), ElementsAre("hi"));
}

TEST_F(FlowTest, ANewConnectionDoesNotMakeSendsFaster) {
  go_online();
  refuse<wire::MessageSend>(1, {.code = wire::Code::rate_limited, .retry_ms = 20'000});
  send("hi");
  time.run_for(seconds(1));
  server.cut();
  time.run_for(seconds(15));
  EXPECT_EQ(server.got_of<wire::MessageSend>().size(), 1u);
  time.run_for(seconds(10));
  EXPECT_THAT(seen(), ElementsAre("hi"));
}

TEST_F(FlowTest, CommandsThatAreTooFastWait) {
  go_online();
  refuse<wire::BlockFrame>(2, {.code = wire::Code::rate_limited, .retry_ms = 5000});
  int done = 0;
  core().block(bob, true, [&](auto answer) { done += answer.ok(); });
  time.run_for(milliseconds(9900));
  EXPECT_EQ(refused_at.size(), 2u);
  EXPECT_EQ(done, 0);
  time.run_for(milliseconds(200));
  EXPECT_EQ(done, 1);
}

TEST_F(FlowTest, ReadsThatAreTooFastWaitAllOfThem) {
  for (uint64_t n = 0; n < 50; ++n) server.say(server.chat_of(ann, {1000 + n}), {1000 + n}, "hi");
  refuse<wire::PullFrame>(20, {.code = wire::Code::rate_limited, .retry_ms = 1000});
  ASSERT_TRUE(core().connect().ok());
  time.run_for(seconds(120));
  ASSERT_EQ(refused_at.size(), 20u);
  EXPECT_GE(refused_at.back() - refused_at.front(), seconds(9)) << "two at a time";
  for (const auto& [id, one] : server.chats) EXPECT_EQ(core().events(id), one.events);
  refused_at.clear();
  server.got.clear();
  refuse<wire::SyncFrame>(3, {.code = wire::Code::rate_limited});
  server.cut();
  time.run_for(seconds(60));
  ASSERT_EQ(refused_at.size(), 3u);
  EXPECT_GE(refused_at[2] - refused_at[0], seconds(2));
  EXPECT_EQ(core().connection(), Connection::online);
}

TEST_F(FlowTest, HellosThatAreTooFastWait) {
  refuse<wire::Hello>(2, {.code = wire::Code::rate_limited, .retry_ms = 7000});
  ASSERT_TRUE(core().connect().ok());
  time.run_for(milliseconds(13'900));
  EXPECT_EQ(server.opened, 2);
  time.run_for(milliseconds(200));
  EXPECT_EQ(core().connection(), Connection::online);
  refused_at.clear();
  refuse<wire::Hello>(3, {.code = wire::Code::rate_limited});
  server.cut();
  time.run_for(seconds(30));
  ASSERT_EQ(refused_at.size(), 3u);
  EXPECT_GE(refused_at[2] - refused_at[0], seconds(2));
  EXPECT_EQ(core().connection(), Connection::online);
}

}  // namespace
}  // namespace tidings::client
