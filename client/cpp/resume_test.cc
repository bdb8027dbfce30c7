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

class ResumeTest : public testing::Test {
 protected:
  ResumeTest() { server.resumes = true; }
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
  wire::Hello hello() { return server.got_of<wire::Hello>().back(); }
  size_t syncs() { return server.got_of<wire::SyncFrame>().size(); }
  // Until the client is back, or has given up.
  void cut_and_return() {
    server.cut();
    time.run_for(seconds(2));
    ASSERT_EQ(core().connection(), Connection::online);
  }
};

TEST_F(ResumeTest, WhatWasMissedComesWithoutASync) {
  go_online();
  EXPECT_EQ(hello().session, std::nullopt);
  server.say(chat, bob, "one");
  time.run();
  server.cut();
  server.say(chat, bob, "two");
  server.say(chat, bob, "three");
  time.run_for(milliseconds(600));
  EXPECT_EQ(core().connection(), Connection::online);
  EXPECT_THAT(seen(), ElementsAre("one", "two", "three"));
  EXPECT_EQ(server.resumed_count, 1);
  EXPECT_EQ(syncs(), 1u);
  EXPECT_EQ(server.got_of<wire::PullFrame>().size(), 1u);
  EXPECT_EQ(hello().session, "s1");
  EXPECT_EQ(hello().received, 3u) << "sync, page and event, of which none was acked";
  EXPECT_THAT(server.got_of<wire::Ack>(), IsEmpty());
}

TEST_F(ResumeTest, NumbersGoOnOverTheBreak) {
  go_online();
  cut_and_return();
  server.say(chat, bob, "one");
  cut_and_return();
  EXPECT_EQ(hello().received, 3u);
  time.run_for(seconds(2));
  EXPECT_THAT(server.got_of<wire::Ack>(), IsEmpty()) << "the hello said it";
  server.say(chat, bob, "two");
  time.run_for(seconds(2));
  EXPECT_EQ(server.got_of<wire::Ack>().back().received, 4u);
}

TEST_F(ResumeTest, TheAnswerToWhatWasAskedBeforeTheBreakIsNotAskedForAgain) {
  go_online();
  server.thinks = [] { return milliseconds(100); };
  send("hi");
  std::vector<wire::Answer<Done>> done;
  const auto group = server.group(ann, {bob});
  time.run_for(milliseconds(50));
  core().rename(group, "tea", [&](auto answer) { done.push_back(std::move(answer)); });
  time.run();
  server.up = false;
  server.cut();
  time.run_for(milliseconds(300));
  server.up = true;
  time.run_for(seconds(5));
  EXPECT_THAT(seen(), ElementsAre("hi"));
  EXPECT_EQ(server.got_of<wire::MessageSend>().size(), 1u);
  EXPECT_EQ(server.got_of<wire::ConversationUpdate>().size(), 1u);
  EXPECT_EQ(diary().sent.size(), 1u);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_FALSE(done[0]->duplicate);
}

TEST_F(ResumeTest, WhatIsStillUnansweredIsSentAgainInOrderAfterTheReplay) {
  go_online();
  server.breaks = [this] { return server.got_of<wire::MessageSend>().size() == 1; };
  const auto a = send("a"), b = send("b"), c = send("c");
  time.run();
  server.breaks = nullptr;
  server.got.clear();
  time.run_for(seconds(5));
  EXPECT_EQ(server.resumed_count, 1);
  const auto sends = server.got_of<wire::MessageSend>();
  ASSERT_EQ(sends.size(), 2u) << "the answer to the first one was replayed";
  EXPECT_EQ(sends[0].client_id, b);
  EXPECT_EQ(sends[0].previous, std::nullopt);
  EXPECT_EQ(sends[1].client_id, c);
  EXPECT_EQ(sends[1].previous, b);
  ASSERT_EQ(diary().sent.size(), 3u);
  EXPECT_EQ(diary().sent[0].client_id, a);
  EXPECT_THAT(seen(), ElementsAre("a", "b", "c"));
}

TEST_F(ResumeTest, AFirstAnswerAfterTheReplayIsTheOneThatCounts) {
  const auto group = server.group(ann, {bob});
  go_online();
  server.thinks = [] { return seconds(1); };
  std::vector<wire::Answer<Done>> done;
  core().rename(group, "tea", [&](auto answer) { done.push_back(std::move(answer)); });
  send("hi");
  time.run();
  server.cut();
  time.run_for(milliseconds(600));
  ASSERT_EQ(server.resumed_count, 1);
  ASSERT_THAT(done, IsEmpty());
  time.run_for(seconds(20));
  EXPECT_EQ(server.got_of<wire::ConversationUpdate>().size(), 2u);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_FALSE(done[0]->duplicate);
  EXPECT_EQ(diary().sent.size(), 1u);
  EXPECT_THAT(seen(), ElementsAre("hi"));
}

TEST_F(ResumeTest, ALostWelcomeMeansTheSameHelloAgain) {
  go_online();
  server.say(chat, bob, "one");
  time.run();
  server.cut();
  server.say(chat, bob, "two");
  int arrived = 0;
  server.breaks = [&] { return ++arrived == 2; };  // the hello came, the welcome did not
  while (arrived < 2) time.run_for(milliseconds(10));
  const auto first = hello();
  server.breaks = nullptr;
  time.run_for(seconds(3));
  EXPECT_EQ(server.resumed_count, 2);
  EXPECT_EQ(hello().session, first.session);
  EXPECT_EQ(hello().resume, first.resume);
  EXPECT_EQ(hello().received, first.received);
  EXPECT_THAT(seen(), ElementsAre("one", "two"));
  EXPECT_EQ(syncs(), 1u);
}

TEST_F(ResumeTest, ASessionThatIsGoneCostsASync) {
  go_online();
  server.cut();
  server.forget_sessions();
  server.say(chat, bob, "one");
  send("mine");
  time.run_for(seconds(2));
  EXPECT_EQ(server.resumed_count, 0);
  EXPECT_EQ(syncs(), 2u);
  EXPECT_THAT(seen(), ElementsAre("one", "mine"));
  cut_and_return();
  EXPECT_EQ(server.resumed_count, 1) << "of the new one";
}

TEST_F(ResumeTest, ASessionThatWasLeftIsNotGoneOnWith) {
  go_online();
  core().disconnect();
  time.run();
  go_online();
  EXPECT_EQ(hello().session, std::nullopt);
  server.cut(4409, "replaced");
  time.run();
  ASSERT_EQ(core().connection(), Connection::refused);
  go_online();
  EXPECT_EQ(hello().session, std::nullopt);
}

TEST_F(ResumeTest, WhatNoHonestServerSaysEndsTheSession) {
  go_online();
  const auto event = server.say(chat, bob, "one");
  time.run();
  server.push("{\"type\":\"event\"}");
  time.run_for(seconds(2));
  EXPECT_EQ(server.resumed_count, 0) << "it would be replayed for ever";
  EXPECT_EQ(core().connection(), Connection::online);
  for (const bool other_number : {true, false}) {
    server.cut();
    bool once = true;
    server.instead = [&](const wire::ClientFrame& frame) {
      const auto* said = std::get_if<wire::Hello>(&frame);
      if (!said || !std::exchange(once, false)) return false;
      server.push(wire::encode(wire::Welcome{.session = other_number ? *said->session : "another",
                                             .resumed = true,
                                             .received = *said->received + (other_number ? 1 : 0),
                                             .user = ann}));
      return true;
    };
    time.run_for(seconds(5));
    server.instead = nullptr;
    EXPECT_EQ(core().connection(), Connection::online);
    EXPECT_EQ(server.resumed_count, 0);
  }
  EXPECT_THAT(seen(), ElementsAre("one"));
  EXPECT_EQ(diary().resets, 0);
}

TEST_F(ResumeTest, AReplayThatNeverEndsIsNotWaitedForForEver) {
  go_online();
  server.cut();
  server.instead = [&](const wire::ClientFrame& frame) {
    const auto* said = std::get_if<wire::Hello>(&frame);
    if (!said) return false;
    server.push(wire::encode(wire::Welcome{.session = *said->session,
                                           .resumed = true,
                                           .received = *said->received,
                                           .replayed = 3,
                                           .user = ann}));
    return true;
  };
  send("hi");
  time.run_for(seconds(35));
  EXPECT_THAT(server.got_of<wire::MessageSend>(), IsEmpty());
  EXPECT_EQ(core().connection(), Connection::syncing);
  time.run_for(seconds(10));
  EXPECT_EQ(server.got_of<wire::MessageSend>().size(), 1u);
}

TEST_F(ResumeTest, ABreakWithinTheSyncGoesOnWithIt) {
  server.sync_rows_max = 2;
  for (uint64_t n = 30; n < 40; ++n) server.say(server.chat_of(ann, {n}), {n}, "hi");
  int syncs_taken = 0;
  server.instead = [&](const wire::ClientFrame& frame) {
    if (std::holds_alternative<wire::SyncFrame>(frame) && ++syncs_taken == 3) server.cut();
    return false;
  };
  ASSERT_TRUE(core().connect().ok());
  time.run_for(seconds(5));
  EXPECT_EQ(core().connection(), Connection::online);
  EXPECT_EQ(server.resumed_count, 1);
  EXPECT_EQ(syncs_taken, 6) << "none twice: the third answer was replayed";
  for (const auto& [id, one] : server.chats) EXPECT_EQ(core().events(id), one.events);
}

// --- everything at once, broken at every place

struct World {
  explicit World(uint64_t seed) : a(server, ann, seed), b(server, bob, seed + 1000) {
    server.resumes = true;
    server.page_events_max = 7;
  }
  VirtualTime time;
  SmallServer server{time};
  Person a, b;
  const model::ConversationId chat = server.chat_of(ann, bob);
  std::vector<std::pair<std::string, wire::Answer<Done>>> done;
  std::map<model::ConversationId, size_t> histories;
  std::vector<model::ClientId> written;
  size_t commands = 0;

  void write(Person& who, const model::ConversationId& to, const std::string& text) {
    auto sent = who.core->send(to, {model::MessageKind::text, text});
    ASSERT_TRUE(sent.ok());
    written.push_back(*sent);
  }
  Core::WhenDone command(const std::string& name) {
    ++commands;
    return [this, name](auto answer) { done.emplace_back(name, std::move(answer)); };
  }

  void play() {
    for (int n = 0; n < 9; ++n) server.say(chat, n % 2 ? ann : bob, "before " + std::to_string(n));
    ASSERT_TRUE(a.core->connect().ok());
    ASSERT_TRUE(b.core->connect().ok());
    step();
    model::ConversationId group{};
    ++commands;
    a.core->create_group("tea", {bob}, model::History::all, [&](auto answer) {
      ASSERT_TRUE(answer.ok());
      group = *answer;
      done.emplace_back("create", Done{*answer, {1}, false});
    });
    write(a, chat, "a1");
    write(a, chat, "a2");
    write(b, chat, "b1");
    step();
    write(b, chat, "b2");
    a.core->read(chat, a.core->conversation(chat) ? a.core->conversation(chat)->have.seq : model::Seq{});
    for (int tries = 0; tries < 20'000 && group == model::ConversationId{}; ++tries) step();
    ASSERT_NE(group, model::ConversationId{});
    a.core->rename(group, "coffee", command("rename"));
    write(a, group, "g1");
    b.core->focus(chat);
    step();
    write(a, group, "g2");
    a.core->set_role(group, bob, model::Role::owner, command("role"));
    write(b, chat, "b3");
    step();
    server.say(chat, bob, "elsewhere");
    a.core->block({33}, true, command("block"));
    write(a, chat, "a3");
    step();
  }
  void step() { time.run_for(milliseconds(40)); }
  void settle() {
    server.breaks = nullptr;
    server.thinks = nullptr;
    time.run_for(std::chrono::minutes(3));
  }

  void expect_right(bool one_session) {
    for (Person* who : {&a, &b}) {
      EXPECT_EQ(who->core->connection(), Connection::online);
      EXPECT_EQ(who->core->outbox_size(), 0u);
      EXPECT_EQ(who->core->command_count(), 0u);
      EXPECT_EQ(who->diary.failed.size(), 0u);
      EXPECT_EQ(who->diary.resets, 0);
      std::set<model::ClientId> sent;
      for (const Sent& one : who->diary.sent) EXPECT_TRUE(sent.insert(one.client_id).second) << "told twice";
      for (const auto& [id, truth] : server.chats) {
        if (!truth.has(who->user)) continue;
        EXPECT_EQ(who->diary.events[id], truth.events);
        EXPECT_EQ(who->core->events(id), truth.events);
        if (truth.kind != model::ConversationKind::self) {
          EXPECT_EQ(who->core->conversation(id)->unread, truth.unread(who->user));
        }
      }
    }
    EXPECT_EQ(a.diary.sent.size() + b.diary.sent.size(), written.size());
    EXPECT_EQ(done.size(), commands);
    for (const auto& [name, answer] : done) {
      ASSERT_TRUE(answer.ok()) << name;
      if (one_session) EXPECT_FALSE(answer->duplicate) << name;
    }
    std::map<model::UserId, std::vector<std::string>> said;
    size_t written_here = 0;
    for (const auto& [id, truth] : server.chats) {
      for (const model::Event& event : truth.events) {
        const auto* message = std::get_if<model::MessageCreated>(&event.body);
        const bool ours =
            std::find(written.begin(), written.end(), event.client_id) != written.end() && message;
        if (!ours) continue;
        ++written_here;
        if (id == chat) said[event.from].push_back(message->message.text);
      }
    }
    EXPECT_EQ(written_here, written.size()) << "each once";
    EXPECT_THAT(said[ann], ElementsAre("a1", "a2", "a3"));
    EXPECT_THAT(said[bob], ElementsAre("b1", "b2", "b3"));
  }
};

TEST(ResumeUnderFaults, ABreakAtEachPlaceLosesNothing) {
  int places = 0;
  {
    World world(1);
    world.server.breaks = [&] {
      ++places;
      return false;
    };
    world.play();
    world.settle();
    world.expect_right(true);
  }
  ASSERT_GT(places, 60);
  int resumed = 0;
  for (int place = 1; place <= places; ++place) {
    // Once more soon after it: a hello, a welcome, or something of the replay.
    for (int again = 0; again <= 6; ++again) {
      for (const bool one_way : {false, true}) {
        SCOPED_TRACE(testing::Message() << place << " +" << again << (one_way ? " one way" : ""));
        World world(static_cast<uint64_t>(place));
        world.server.breaks_one_way = one_way;
        int at = 0;
        world.server.breaks = [&] {
          ++at;
          return at == place || (again > 0 && at == place + again);
        };
        world.play();
        world.settle();
        world.expect_right(false);
        resumed += world.server.resumed_count;
        if (testing::Test::HasFailure()) return;
      }
    }
  }
  EXPECT_GT(resumed, places * 10);
}

TEST(ResumeUnderFaults, BreaksSlowAnswersAndForgottenSessionsInAnyOrder) {
  int resumed = 0, slow = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed);
    std::mt19937_64 dice(seed);
    const uint64_t rarity = 5 + dice() % 40;
    const bool forgets = dice() % 3 == 0;
    world.server.breaks_one_way = dice() % 2;
    world.server.breaks = [&] {
      const bool breaks = dice() % rarity == 0;
      if (breaks && forgets && dice() % 3 == 0) world.server.forget_sessions();
      return breaks;
    };
    if (dice() % 2) {
      ++slow;
      world.server.thinks = [&] { return milliseconds(dice() % 800); };
    }
    world.play();
    world.settle();
    world.expect_right(false);
    resumed += world.server.resumed_count;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(resumed, 400);
  EXPECT_GT(slow, 100);
}

}  // namespace
}  // namespace tidings::client
