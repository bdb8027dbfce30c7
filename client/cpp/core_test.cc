#include "client/cpp/core.h"

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

class CoreTest : public testing::Test {
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
  model::ClientId send(const std::string& text) {
    auto sent = core().send(chat, {model::MessageKind::text, text});
    EXPECT_TRUE(sent.ok());
    return sent.ok() ? *sent : model::ClientId{};
  }
  std::vector<std::string> seen() { return texts(diary().events[chat]); }
  void expect_equal_to_server() {
    EXPECT_EQ(core().events(chat), server.chats[chat].events);
    EXPECT_EQ(diary().events[chat], server.chats[chat].events);
  }
};

TEST_F(CoreTest, ComesOnlineAndHasWhatWasSaidBefore) {
  server.say(chat, bob, "one");
  server.say(chat, bob, "two");
  go_online();
  EXPECT_THAT(diary().states, ElementsAre(Connection::connecting, Connection::syncing, Connection::online));
  EXPECT_THAT(seen(), ElementsAre("one", "two"));
  expect_equal_to_server();
  EXPECT_EQ(core().user(), ann);
  EXPECT_EQ(core().conversation(chat)->have, (model::Cursor{{3}, server.chats[chat].events.back().id}));
}

TEST_F(CoreTest, ASentMessageIsTickedAndItsEventIsTheOneThatOthersGet) {
  Person other(server, bob);
  ASSERT_TRUE(other.core->connect().ok());
  go_online();
  const auto id = send("hi");
  EXPECT_EQ(client.outbox.messages.size(), 1u) << "before anything is written";
  time.run();
  ASSERT_EQ(diary().sent.size(), 1u);
  EXPECT_EQ(diary().sent[0].client_id, id);
  EXPECT_THAT(client.outbox.messages, IsEmpty());
  expect_equal_to_server();
  EXPECT_EQ(other.diary.events[chat], diary().events[chat]);
}

TEST_F(CoreTest, NothingIsTakenIfTheOutboxCannotKeepIt) {
  go_online();
  client.outbox.fails = true;
  EXPECT_FALSE(core().send(chat, {model::MessageKind::text, "hi"}).ok());
  client.outbox.fails = false;
  EXPECT_FALSE(core().send(chat, {model::MessageKind::text, std::string(20'000, 'x')}).ok());
  EXPECT_FALSE(core().send(chat, {model::MessageKind::text, std::string(16'000, '\1')}).ok()) << "escapes";
  EXPECT_FALSE(core().send(chat, {model::MessageKind::text, "\xff"}).ok());
  time.run_for(seconds(60));
  EXPECT_THAT(seen(), IsEmpty());
  EXPECT_EQ(core().outbox_size(), 0u);
}

TEST_F(CoreTest, AGapIsPulledAfter200ms) {
  go_online();
  server.lets_out = [](const std::string& text) { return text.find("lost") == std::string::npos; };
  server.say(chat, bob, "lost");
  server.lets_out = nullptr;
  server.say(chat, bob, "after it");
  time.run_for(milliseconds(150));
  EXPECT_THAT(seen(), IsEmpty()) << "nothing is shown above a gap";
  time.run_for(milliseconds(100));
  EXPECT_THAT(seen(), ElementsAre("lost", "after it"));
  const auto pull = server.got_of<wire::PullFrame>().back();
  EXPECT_EQ(pull.after, model::Seq{1});
  EXPECT_EQ(pull.check, (model::Cursor{{1}, server.chats[chat].events[0].id}));
}

TEST_F(CoreTest, EventsThatComeTwiceAreSeenOnce) {
  go_online();
  const auto event = server.say(chat, bob, "once");
  server.push(wire::encode_event(event));
  server.push(wire::encode_event(event));
  time.run();
  EXPECT_THAT(seen(), ElementsAre("once"));
  EXPECT_EQ(diary().resets, 0);
}

TEST_F(CoreTest, AnOwnMessageAboveAGapWaitsForIt) {
  go_online();
  server.lets_out = [](const std::string& text) { return text.find("\"lost\"") == std::string::npos; };
  server.say(chat, bob, "lost");
  send("mine");
  time.run_for(milliseconds(100));
  EXPECT_EQ(diary().sent.size(), 1u);
  EXPECT_THAT(seen(), IsEmpty());
  server.lets_out = nullptr;
  time.run_for(milliseconds(200));
  expect_equal_to_server();
}

TEST_F(CoreTest, ChainsUnansweredSendsByPrevious) {
  go_online();
  server.instead = [](const wire::ClientFrame& f) { return std::holds_alternative<wire::MessageSend>(f); };
  const auto a = send("a"), b = send("b"), c = send("c");
  time.run();
  const auto sends = server.got_of<wire::MessageSend>();
  ASSERT_EQ(sends.size(), 3u);
  EXPECT_EQ(sends[0].previous, std::nullopt);
  EXPECT_EQ(sends[1].previous, a);
  EXPECT_EQ(sends[2].previous, b);
  EXPECT_LT(a, b);
  EXPECT_LT(b, c);
  server.instead = nullptr;
  time.run_for(seconds(11));
  EXPECT_THAT(seen(), ElementsAre("a", "b", "c"));
}

TEST_F(CoreTest, AnAnswerThatNeverCameMeansTheSameClientIdAgain) {
  go_online();
  server.lets_out = [](const std::string& text) { return text.find("\"ok\"") == std::string::npos; };
  const auto id = send("hi");
  time.run_for(seconds(9));
  EXPECT_EQ(server.got_of<wire::MessageSend>().size(), 1u);
  server.lets_out = nullptr;
  time.run_for(seconds(2));
  const auto sends = server.got_of<wire::MessageSend>();
  ASSERT_EQ(sends.size(), 2u);
  EXPECT_EQ(sends[1].client_id, id);
  EXPECT_NE(sends[1].request, sends[0].request);
  EXPECT_EQ(diary().sent.size(), 1u) << "the duplicate's answer";
  expect_equal_to_server();
}

TEST_F(CoreTest, ANewConnectionSendsAgainAtOnceAndTheOwnEventTicksToo) {
  go_online();
  server.lets_out = [](const std::string& text) { return text.find("\"ok\"") == std::string::npos; };
  send("hi");
  time.run();
  server.cut();
  time.run_for(seconds(1));
  ASSERT_EQ(core().connection(), Connection::online);
  ASSERT_EQ(diary().sent.size(), 1u) << "its event came with the pull";
  EXPECT_THAT(client.outbox.messages, IsEmpty());
  expect_equal_to_server();
}

TEST_F(CoreTest, TheOutboxSurvivesTheProcess) {
  server.up = false;
  ASSERT_TRUE(core().connect().ok());
  const auto first = send("first");
  send("second");
  time.run_for(seconds(3));
  client.restart(server);
  server.up = true;
  go_online();
  time.run();
  EXPECT_THAT(seen(), ElementsAre("first", "second"));
  EXPECT_EQ(server.got_of<wire::MessageSend>()[0].client_id, first);
  EXPECT_THAT(client.outbox.messages, IsEmpty());
}

TEST_F(CoreTest, AnOrderAnswerSendsFromTheMissingOne) {
  go_online();
  bool first = true;
  server.instead = [&](const wire::ClientFrame& f) {
    return std::holds_alternative<wire::MessageSend>(f) && std::exchange(first, false);
  };
  send("a");
  send("b");
  send("c");
  time.run_for(seconds(30));
  EXPECT_THAT(seen(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(diary().sent.size(), 3u);
  expect_equal_to_server();
}

TEST_F(CoreTest, BusyIsTriedAgainWhenTheServerSays) {
  go_online();
  int busy = 2;
  server.instead = [&](const wire::ClientFrame& f) {
    const auto* sent = std::get_if<wire::MessageSend>(&f);
    if (!sent || busy-- <= 0) return false;
    server.push(
        wire::encode(wire::ErrorFrame{.request = sent->request, .code = wire::Code::busy, .retry_ms = 800}));
    return true;
  };
  send("hi");
  time.run_for(milliseconds(790));
  EXPECT_EQ(server.got_of<wire::MessageSend>().size(), 1u);
  time.run_for(milliseconds(900));
  EXPECT_EQ(server.got_of<wire::MessageSend>().size(), 3u);
  EXPECT_THAT(seen(), ElementsAre("hi"));
  EXPECT_THAT(diary().failed, IsEmpty());
}

TEST_F(CoreTest, FailsAtOnceIfEveryAttemptWasAnswered) {
  go_online();
  server.instead = [&](const wire::ClientFrame& f) {
    const auto* sent = std::get_if<wire::MessageSend>(&f);
    if (!sent || sent->message.text != "no") return false;
    server.push(wire::encode(wire::ErrorFrame{.request = sent->request, .code = wire::Code::forbidden}));
    return true;
  };
  const auto no = send("no");
  send("yes");
  time.run_for(seconds(1));
  EXPECT_THAT(diary().failed, ElementsAre(std::make_pair(no, wire::Code::forbidden)));
  EXPECT_THAT(seen(), ElementsAre("yes")) << "what was refused leaves the chain";
  EXPECT_THAT(client.outbox.messages, IsEmpty());
}

TEST_F(CoreTest, AMessageOfAnEarlierRunThatIsRefusedComesBackWithItsText) {
  const auto id = send("of the earlier run");
  client.restart(server);
  server.instead = [&](const wire::ClientFrame& f) {
    const auto* sent = std::get_if<wire::MessageSend>(&f);
    if (!sent) return false;
    server.push(wire::encode(wire::ErrorFrame{.request = sent->request, .code = wire::Code::forbidden}));
    return true;
  };
  go_online();
  time.run_for(seconds(33));
  EXPECT_THAT(diary().failed, IsEmpty()) << "what the earlier run wrote may still be accepted";
  time.run_for(seconds(2));
  EXPECT_THAT(diary().failed, ElementsAre(std::make_pair(id, wire::Code::forbidden)));
  EXPECT_THAT(diary().failed_texts, ElementsAre("of the earlier run"));
}

TEST_F(CoreTest, FailsOnly35sAfterAnAttemptThatWasNeverAnswered) {
  go_online();
  int seen_sends = 0;
  server.instead = [&](const wire::ClientFrame& f) {
    const auto* sent = std::get_if<wire::MessageSend>(&f);
    if (!sent) return false;
    if (seen_sends++ > 0) {
      server.push(wire::encode(wire::ErrorFrame{.request = sent->request, .code = wire::Code::forbidden}));
    }
    return true;
  };
  const auto id = send("hi");
  time.run_for(milliseconds(34'900));
  EXPECT_EQ(seen_sends, 2);
  EXPECT_THAT(diary().failed, IsEmpty());
  time.run_for(milliseconds(200));
  EXPECT_THAT(diary().failed, ElementsAre(std::make_pair(id, wire::Code::forbidden)));
}

TEST_F(CoreTest, ARefusedSecondAttemptDoesNotHideAnAcceptedFirst) {
  go_online();
  std::optional<wire::MessageSend> first;
  server.instead = [&](const wire::ClientFrame& f) {
    const auto* sent = std::get_if<wire::MessageSend>(&f);
    if (!sent) return false;
    if (!first) {
      first = *sent;
    } else {
      server.push(wire::encode(wire::ErrorFrame{.request = sent->request, .code = wire::Code::forbidden}));
    }
    return true;
  };
  send("hi");
  time.run_for(seconds(20));
  const auto e = server.append(chat, ann, first->client_id, model::MessageCreated{first->message});
  time.run_for(seconds(60));
  EXPECT_THAT(diary().failed, IsEmpty());
  EXPECT_EQ(diary().sent.size(), 1u);
  expect_equal_to_server();
}

TEST_F(CoreTest, AClientIdFromTheFutureIsMintedAnew) {
  time.wall_error = std::chrono::hours(48);
  server.up = false;
  ASSERT_TRUE(core().connect().ok());
  const auto early = send("from the future");
  server.up = true;
  time.run_for(seconds(60));
  ASSERT_EQ(diary().renamed.size(), 1u);
  EXPECT_EQ(diary().renamed[0].first, early);
  EXPECT_EQ(diary().sent.at(0).client_id, diary().renamed[0].second);
  EXPECT_THAT(seen(), ElementsAre("from the future"));
  EXPECT_THAT(client.outbox.messages, IsEmpty());
  send("now");
  time.run();
  EXPECT_THAT(seen(), ElementsAre("from the future", "now"));
}

TEST_F(CoreTest, AClientIdIsNotMintedAnewBeforeTheOutboxHasTheNewOne) {
  time.wall_error = std::chrono::hours(48);
  const auto old_id = send("from the future");
  client.outbox.fails = true;
  go_online();
  time.run_for(seconds(5));
  EXPECT_THAT(diary().renamed, IsEmpty());
  EXPECT_TRUE(client.outbox.messages.contains(old_id));
  client.outbox.fails = false;
  time.run_for(seconds(30));
  EXPECT_EQ(diary().renamed.size(), 1u);
  EXPECT_THAT(seen(), ElementsAre("from the future"));
  EXPECT_THAT(client.outbox.messages, IsEmpty());
}

// More is put back in front than this process ever sent.
TEST_F(CoreTest, LostMessagesOfAnEarlierProcessGoInFrontOfWhatWaits) {
  const auto backup = server.backup();
  for (int i = 0; i < 5; ++i) server.say(chat, ann, "lost " + std::to_string(i));
  go_online();
  server.up = false;
  server.cut();
  send("typed meanwhile");
  server.restore(backup);
  server.up = true;
  time.run_for(seconds(60));
  EXPECT_THAT(seen(), ElementsAre("lost 0", "lost 1", "lost 2", "lost 3", "lost 4", "typed meanwhile"));
  for (const auto& message : *client.outbox.load()) EXPECT_LT(message.order, uint64_t{1} << 33);
  expect_equal_to_server();
}

TEST_F(CoreTest, LiveEventsWaitUntilTheSyncIsOver) {
  server.say(chat, bob, "one");
  server.instead = [&](const wire::ClientFrame& f) {
    if (!std::holds_alternative<wire::SyncFrame>(f)) return false;
    server.instead = nullptr;
    server.say(chat, bob, "live");
    return false;
  };
  go_online();
  EXPECT_THAT(seen(), ElementsAre("one", "live"));
  expect_equal_to_server();
}

TEST_F(CoreTest, SyncsInChunksThatCoverAllConversations) {
  go_online();
  for (uint64_t i = 0; i < 1200; ++i) server.chat_of(ann, {1000 + i});
  time.run_for(seconds(1));
  ASSERT_EQ(core().conversations().size(), 1201u);
  server.got.clear();
  server.sync_rows_max = 100;
  server.lets_out = [](const std::string& text) { return text.find("quiet") == std::string::npos; };
  for (uint64_t i = 0; i < 1200; i += 3)
    server.say(model::direct_conversation(ann, {1000 + i}), ann, "quiet");
  server.lets_out = nullptr;
  server.cut();
  time.run_for(seconds(5));
  ASSERT_EQ(core().connection(), Connection::online);
  model::ConversationId zeros, ones;
  ones.bytes.fill(0xff);
  const auto syncs = server.got_of<wire::SyncFrame>();
  EXPECT_GT(syncs.size(), 3u) << "three chunks, some of them continued";
  EXPECT_EQ(syncs.front().from, zeros);
  EXPECT_EQ(syncs.back().to, ones);
  for (const auto& sync : syncs) EXPECT_LE(sync.vector.size(), 500u);
  for (const auto& [id, one] : server.chats) EXPECT_EQ(core().events(id), one.events);
}

TEST_F(CoreTest, ARestoredServerMakesTheClientForgetAndSendAgainWhatIsLost) {
  server.say(chat, bob, "kept");
  go_online();
  const auto backup = server.backup();
  const auto lost = send("mine, lost");
  time.run();
  server.say(chat, bob, "theirs, lost");
  time.run();
  send("mine, lost too");
  time.run();
  server.restore(backup);
  server.say(chat, bob, "new 1");
  server.say(chat, bob, "new 2");
  send("typed meanwhile");
  time.run_for(seconds(5));
  EXPECT_EQ(diary().resets, 1);
  EXPECT_THAT(seen(),
              ElementsAre("kept", "new 1", "new 2", "mine, lost", "mine, lost too", "typed meanwhile"));
  EXPECT_EQ(server.got_of<wire::Hello>().back().branch, "b1");
  expect_equal_to_server();
  EXPECT_TRUE(server.taken.contains({ann, lost}));
  EXPECT_THAT(client.outbox.messages, IsEmpty());
}

// Its copy agrees with the restored server, but it had heard of more.
TEST_F(CoreTest, WhatCameTooEarlyBeforeARestoreIsForgottenToo) {
  server.say(chat, bob, "kept");
  go_online();
  const auto backup = server.backup();
  model::Event early = server.chats[chat].events.back();
  early.seq = {7};
  early.id = {early.id.value + 1000};
  early.client_id = server.fresh();
  early.body = model::MessageCreated{{model::MessageKind::text, "of the lost history"}};
  server.push(wire::encode_event(early));
  time.run();
  ASSERT_EQ(core().conversation(chat)->head.value, 7u);
  server.restore(backup);
  time.run_for(seconds(5));
  EXPECT_EQ(core().conversation(chat)->head, core().conversation(chat)->have.seq);
  for (int i = 0; i < 8; ++i) server.say(chat, bob, "new");
  time.run_for(seconds(5));
  EXPECT_EQ(diary().resets, 0);
  expect_equal_to_server();
}

// The restored server has got as far again: the next event fits our copy by its number alone.
TEST_F(CoreTest, NoEventIsPutBehindACopyThatARestoredServerHasNotConfirmed) {
  server.say(chat, bob, "kept");
  const auto backup = server.backup();
  server.say(chat, bob, "lost");
  go_online();
  server.restore(backup);
  server.say(chat, bob, "in its place");
  server.instead = [&](const wire::ClientFrame& frame) {
    if (std::holds_alternative<wire::SyncFrame>(frame)) server.say(chat, bob, "live, while it syncs");
    return false;
  };
  time.run_for(seconds(5));
  EXPECT_EQ(diary().resets, 1);
  expect_equal_to_server();
}

TEST_F(CoreTest, AConversationThatARestoreHasUnmadeIsMadeAgain) {
  go_online();
  const auto backup = server.backup();
  const model::UserId cid{33};
  const auto young = server.chat_of(ann, cid);
  server.say(young, cid, "theirs");
  time.run();
  ASSERT_TRUE(core().send(young, {model::MessageKind::text, "mine"}).ok());
  time.run();
  ASSERT_THAT(texts(diary().events[young]), ElementsAre("theirs", "mine"));
  server.restore(backup);
  time.run_for(seconds(5));
  EXPECT_EQ(server.got_of<wire::MessageSend>().back().to, cid);
  EXPECT_THAT(texts(diary().events[young]), ElementsAre("mine"));
  EXPECT_EQ(diary().events[young], server.chats[young].events);
}

TEST_F(CoreTest, ALiveEventUnderAnotherIdStartsTheConversationAnew) {
  const auto event = server.say(chat, bob, "one");
  go_online();
  auto other = event;
  other.id = {event.id.value + 500};
  server.chats[chat].events.back() = other;
  server.push(wire::encode_event(other));
  time.run();
  EXPECT_EQ(diary().resets, 1);
  expect_equal_to_server();
}

TEST_F(CoreTest, BacksOffWithJitterUpTo20s) {
  server.up = false;
  ASSERT_TRUE(core().connect().ok());
  time.run_for(std::chrono::minutes(10));
  ASSERT_GT(diary().waits.size(), 30u);
  base::nanoseconds longest{0};
  for (size_t k = 0; k < diary().waits.size(); ++k) {
    EXPECT_LE(diary().waits[k],
              std::min<base::nanoseconds>(seconds(20), milliseconds(500) * (1ll << std::min<size_t>(k, 20))));
    longest = std::max(longest, diary().waits[k]);
  }
  EXPECT_GT(longest, seconds(10));
  server.up = true;
  time.run_for(seconds(20));
  EXPECT_EQ(core().connection(), Connection::online);
}

TEST_F(CoreTest, ASilentServerIsLeft) {
  go_online();
  server.instead = [](const wire::ClientFrame& f) { return std::holds_alternative<wire::Ping>(f); };
  time.run_for(seconds(41));
  EXPECT_GE(server.opened, 2);
  server.instead = nullptr;
  time.run_for(std::chrono::minutes(3));
  EXPECT_EQ(core().connection(), Connection::online);
  EXPECT_EQ(server.session_count(), 1u);
}

// --- a slow link: a page takes long, and everything else waits behind it

TEST_F(CoreTest, ASlowLinkIsAskedForTwoPagesAtMost) {
  for (uint64_t n = 30; n < 36; ++n) server.say(server.chat_of(ann, model::UserId{n}), {n}, "hi");
  std::deque<std::string> held;
  server.lets_out = [&](const std::string& text) {
    if (text.find("\"page\"") == std::string::npos) return true;
    held.push_back(text);
    return false;
  };
  ASSERT_TRUE(core().connect().ok());
  time.run_for(seconds(1));
  size_t pages = 0;
  while (!held.empty()) {
    EXPECT_LE(held.size(), 2u);
    const std::string text = std::exchange(held.front(), "");
    held.pop_front();
    const auto lets_out = std::exchange(server.lets_out, nullptr);
    server.push(text);
    server.lets_out = lets_out;
    time.run_for(seconds(1));
    ++pages;
  }
  EXPECT_EQ(pages, 7u);
  EXPECT_EQ(core().connection(), Connection::online);
}

TEST_F(CoreTest, APageThatComesLateIsTakenAlthoughItWasAskedForAgain) {
  server.say(chat, bob, "one");
  std::vector<std::string> held;
  server.lets_out = [&](const std::string& text) {
    if (text.find("\"page\"") == std::string::npos) return true;
    held.push_back(text);
    return false;
  };
  ASSERT_TRUE(core().connect().ok());
  time.run_for(seconds(65));
  ASSERT_EQ(held.size(), 2u);
  server.lets_out = nullptr;
  server.push(held[0]);
  time.run();
  EXPECT_EQ(core().connection(), Connection::online);
  EXPECT_THAT(seen(), ElementsAre("one"));
  server.push(held[1]);
  server.say(chat, bob, "two");
  time.run_for(seconds(1));
  EXPECT_THAT(seen(), ElementsAre("one", "two"));
  EXPECT_EQ(diary().resets, 0);
  EXPECT_EQ(server.got_of<wire::PullFrame>().size(), 2u);
}

TEST_F(CoreTest, APongBehindALargePageDoesNotCutASlowLink) {
  server.say(chat, bob, "one");
  std::vector<std::string> held;
  const auto hold = [&](const std::string& text) {
    held.push_back(text);
    return false;
  };
  server.lets_out = [&](const std::string& text) {
    return text.find("\"page\"") == std::string::npos || hold(text);
  };
  ASSERT_TRUE(core().connect().ok());
  while (held.empty()) time.run_for(milliseconds(10));
  server.lets_out = hold;  // nothing passes the page: 35 s are 7 KB/s
  time.run_for(seconds(35));
  EXPECT_FALSE(server.got_of<wire::Ping>().empty());
  server.lets_out = nullptr;
  for (const std::string& text : std::exchange(held, {})) server.push(text);
  time.run();
  EXPECT_EQ(server.opened, 1);
  EXPECT_EQ(core().connection(), Connection::online);
  EXPECT_THAT(seen(), ElementsAre("one"));
}

TEST_F(CoreTest, AnyFrameShowsThatTheLineLives) {
  go_online();
  server.instead = [](const wire::ClientFrame& f) { return std::holds_alternative<wire::Ping>(f); };
  for (int n = 0; n < 20; ++n) {
    server.say(chat, bob, "hi");
    time.run_for(seconds(6));
  }
  EXPECT_EQ(server.opened, 1);
  time.run_for(seconds(45));
  EXPECT_GE(server.opened, 2);
}

TEST_F(CoreTest, AHelloWithoutAnAnswerIsTriedAgain) {
  server.instead = [](const wire::ClientFrame&) { return true; };
  ASSERT_TRUE(core().connect().ok());
  time.run_for(milliseconds(9'900));
  EXPECT_EQ(server.opened, 1);
  time.run_for(seconds(1));
  EXPECT_EQ(server.opened, 2);
}

TEST_F(CoreTest, ATerminalCloseEndsInRefusedUntilConnectIsCalled) {
  go_online();
  server.cut(4409, "replaced");
  time.run_for(std::chrono::minutes(5));
  EXPECT_EQ(core().connection(), Connection::refused);
  EXPECT_EQ(diary().last_why, wire::Code::replaced);
  EXPECT_EQ(server.opened, 1);
  go_online();
  server.cut(4429, "slow_consumer");
  time.run_for(seconds(1));
  EXPECT_EQ(core().connection(), Connection::online) << "any other close reconnects";
}

TEST_F(CoreTest, GarbageIsNotFollowedButLeftAndEverythingIsRightAfterwards) {
  const std::string one = wire::encode_event(server.say(chat, bob, "one"));
  go_online();
  const std::vector<std::string> garbage{
      "",
      "{",
      "[]",
      "null",
      "{\"type\":5}",
      "{\"type\":\"event\"}",
      "{\"type\":\"welcome\"}",
      "[{\"type\":\"typing\"},{\"type\":\"pong\",\"now\":1}]",
      R"({"type":"ok","request":77,"conversation":"00000000-0000-0000-0000-000000000000","seq":9007199254740991,"ord":1,"id":"1","time":1})",
      R"({"type":"error","request":3,"code":"no such code","message":""})",
      R"({"type":"sync","request":1,"conversations":[],"activity":"0","more":true})",
      R"({"type":"page","request":2,"conversation":"00000000-0000-0000-0000-000000000000","events":[],"holes":[[1,2,"x"]],"upto":0,"head":9,"more":true})",
      std::string(100'000, '['),
      one.substr(0, one.size() / 2)};
  for (const std::string& text : garbage) {
    server.push(text);
    time.run_for(seconds(30));
    ASSERT_EQ(core().connection(), Connection::online) << text.substr(0, 80);
  }
  send("still here");
  server.say(chat, bob, "me too");
  time.run_for(seconds(1));
  expect_equal_to_server();
  EXPECT_EQ(diary().resets, 0);
}

TEST_F(CoreTest, APageThatLeavesAnEventOutIsNotBelieved) {
  for (const char* text : {"one", "two", "three"}) server.say(chat, bob, text);
  bool once = true;
  server.instead = [&](const wire::ClientFrame& f) {
    const auto* pull = std::get_if<wire::PullFrame>(&f);
    if (!pull || !std::exchange(once, false)) return false;
    wire::PageFrame page{.request = pull->request, .conversation = chat, .upto = {4}, .head = {4}};
    const auto& events = server.chats[chat].events;
    server.push(wire::encode_page(page, {wire::encode_event(events[0]), wire::encode_event(events[3])}));
    return true;
  };
  ASSERT_TRUE(core().connect().ok());
  time.run_for(seconds(5));
  EXPECT_THAT(seen(), ElementsAre("one", "two", "three"));
}

TEST_F(CoreTest, HolesAreSteppedOver) {
  for (const char* text : {"one", "two", "three"}) server.say(chat, bob, text);
  server.instead = [&](const wire::ClientFrame& f) {
    const auto* pull = std::get_if<wire::PullFrame>(&f);
    if (!pull) return false;
    wire::PageFrame page{.request = pull->request, .conversation = chat, .upto = {4}, .head = {4}};
    page.holes = {{{2}, {2}, model::HoleReason::expired}, {{4}, {4}, model::HoleReason::hidden}};
    const auto& events = server.chats[chat].events;
    server.push(wire::encode_page(page, {wire::encode_event(events[0]), wire::encode_event(events[2])}));
    return true;
  };
  go_online();
  EXPECT_THAT(seen(), ElementsAre("two"));
  EXPECT_EQ(core().conversation(chat)->have.seq, model::Seq{4});
  server.say(chat, bob, "five");
  time.run();
  EXPECT_THAT(seen(), ElementsAre("two", "five"));
}

TEST_F(CoreTest, OpensADirectConversationOnce) {
  go_online();
  const model::UserId cid{33};
  std::vector<model::ConversationId> opened;
  const auto done = [&](wire::Answer<model::ConversationId> answer) { opened.push_back(answer.value()); };
  core().open_direct(cid, done);
  EXPECT_THAT(opened, IsEmpty()) << "never inside the call";
  time.run();
  core().open_direct(cid, done);
  time.run_for(milliseconds(10));
  const auto id = model::direct_conversation(ann, cid);
  EXPECT_THAT(opened, ElementsAre(id, id));
  EXPECT_EQ(server.got_of<wire::ConversationCreate>().size(), 1u);
  EXPECT_THAT(core().conversation(id)->members, ElementsAre(ann, cid));
  EXPECT_EQ(diary().events[id], server.chats[id].events);
}

TEST_F(CoreTest, AListenerMaySendFromInsideItsCallbacks) {
  struct Echo final : Listener {
    void on_connection(Connection, std::optional<wire::Code>, base::nanoseconds) override {}
    void on_event(const model::Event& event) override {
      if (event.from == bob && event.seq.value > 1) {
        EXPECT_TRUE(core->send(event.conversation, {model::MessageKind::text, "echo"}).ok());
      }
    }
    void on_sent(const Sent&) override {}
    void on_failed(const OutboxMessage&, const wire::Problem&) override {}
    void on_reset(const model::ConversationId&) override {}
    Core* core = nullptr;
  } echo;
  OutboxMemory outbox;
  SeededRandom random(3);
  Core other(Core::Parts{time, time, random, outbox, echo, "t", "test/1", server.door(ann)});
  echo.core = &other;
  ASSERT_TRUE(other.connect().ok());
  time.run();
  server.say(chat, bob, "hello");
  time.run();
  EXPECT_THAT(texts(server.chats[chat].events), ElementsAre("hello", "echo"));
}

// Cuts, swallowed answers and lost live events in any order: nothing is lost, doubled or out of order.
TEST(CoreUnderFaults, EveryMessageArrivesOnceAndInOrder) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    VirtualTime time;
    SmallServer server(time);
    server.page_events_max = 7;
    const auto chat = server.chat_of(ann, bob);
    Person a(server, ann, seed), b(server, bob, seed + 1000);
    std::mt19937_64 dice(seed);
    ASSERT_TRUE(a.core->connect().ok());
    ASSERT_TRUE(b.core->connect().ok());
    server.lets_out = [&](const std::string&) { return dice() % 10 != 0; };
    server.instead = [&](const wire::ClientFrame&) { return dice() % 20 == 0; };
    int said = 0;
    for (int step = 0; step < 300; ++step) {
      Person& who = dice() % 2 ? a : b;
      const auto text = (&who == &a ? "a" : "b") + std::to_string(said++);
      ASSERT_TRUE(who.core->send(chat, {model::MessageKind::text, text}).ok());
      if (dice() % 30 == 0) server.cut();
      time.run_for(milliseconds(dice() % 2000));
    }
    server.lets_out = nullptr;
    server.instead = nullptr;
    time.run_for(std::chrono::minutes(3));
    for (Person* who : {&a, &b}) {
      EXPECT_EQ(who->core->outbox_size(), 0u);
      EXPECT_EQ(who->diary.failed.size(), 0u);
      EXPECT_EQ(who->diary.resets, 0);
      EXPECT_EQ(who->diary.events[chat], server.chats[chat].events);
      int last = -1;
      for (const auto& event : who->diary.events[chat]) {
        const auto* message = std::get_if<model::MessageCreated>(&event.body);
        if (!message || event.from != who->user) continue;
        const int number = std::stoi(message->message.text.substr(1));
        EXPECT_GT(number, last);
        last = number;
      }
    }
    EXPECT_EQ(server.chats[chat].events.size(), 301u);
  }
}

}  // namespace
}  // namespace tidings::client
