#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cpp/commands.h"
#include "client/cpp/rig_for_test.h"

namespace tidings::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr model::UserId ann{11}, bob{22}, cid{33}, dan{44};

class GroupsTest : public testing::Test {
 protected:
  VirtualTime time;
  SmallServer server{time};
  Person client{server, ann};
  std::vector<wire::Code> refused;
  std::vector<Done> done;

  Core& core() { return *client.core; }
  void go_online() {
    ASSERT_TRUE(core().connect().ok());
    time.run();
    ASSERT_EQ(core().connection(), Connection::online);
  }
  Core::WhenDone note() {
    return [this](const wire::Answer<Done>& answer) {
      if (answer.ok()) {
        done.push_back(*answer);
      } else {
        refused.push_back(answer.error().code);
      }
    };
  }
  model::ConversationId make_group(std::vector<model::UserId> members) {
    model::ConversationId id;
    core().create_group("walk", std::move(members), model::History::joining,
                        [&id](const wire::Answer<model::ConversationId>& answer) { id = answer.value(); });
    time.run_for(seconds(1));
    return id;
  }
  const ConversationView& view(const model::ConversationId& id) { return *core().conversation(id); }
};

TEST_F(GroupsTest, AGroupIsMadeAndChangedAndItsViewFollows) {
  go_online();
  const auto group = make_group({bob});
  ASSERT_TRUE(server.chats.contains(group));
  EXPECT_EQ(view(group).kind, model::ConversationKind::group);
  EXPECT_EQ(view(group).title, "walk");
  EXPECT_EQ(view(group).role, model::Role::owner);
  EXPECT_EQ(view(group).member_count, 2u);
  EXPECT_THAT(view(group).members, ElementsAre(ann, bob));
  core().add_members(group, {cid, dan}, note());
  core().rename(group, "hike", note());
  core().set_role(group, cid, model::Role::admin, note());
  core().remove_member(group, dan, note());
  time.run_for(seconds(1));
  ASSERT_EQ(done.size(), 4u);
  EXPECT_EQ(done[1].seq, model::Seq{3});
  EXPECT_EQ(view(group).title, "hike");
  EXPECT_EQ(view(group).member_count, 3u);
  EXPECT_THAT(view(group).members, ElementsAre(ann, bob, cid));
  EXPECT_EQ(view(group).role_of(cid), model::Role::admin);
  EXPECT_EQ(view(group).since.at(cid), model::Seq{2});
  EXPECT_EQ(client.diary.events[group], server.chats[group].events) << "the own ones are pulled";
}

TEST_F(GroupsTest, WhatOthersDoIsFoldedToo) {
  const auto group = server.group(bob, {ann, cid}, "walk");
  go_online();
  EXPECT_EQ(view(group).role, model::Role::member);
  EXPECT_EQ(view(group).role_of(bob), model::Role::owner);
  server.append(group, bob, server.fresh(), model::ConversationUpdated{"hike", model::History::all});
  server.append(group, bob, server.fresh(), model::MembersAdded{{dan}});
  server.append(group, bob, server.fresh(), model::MemberLeft{bob, ann});
  time.run();
  EXPECT_EQ(view(group).title, "hike");
  EXPECT_EQ(view(group).history, model::History::all);
  EXPECT_THAT(view(group).members, ElementsAre(ann, cid, dan));
  EXPECT_EQ(view(group).role, model::Role::owner) << "the successor";
  EXPECT_EQ(view(group).member_count, 3u);
}

TEST_F(GroupsTest, AnUnknownGroupIsPulledWhenItsEventComes) {
  const auto group = server.group(bob, {cid}, "walk");
  server.say(group, bob, "before ann");
  go_online();
  EXPECT_EQ(core().conversation(group), nullptr);
  server.append(group, bob, server.fresh(), model::MembersAdded{{ann}});
  server.say(group, bob, "hello ann");
  time.run_for(seconds(1));
  EXPECT_THAT(texts(client.diary.events[group]), ElementsAre("hello ann"));
  EXPECT_EQ(view(group).have.seq, model::Seq{4}) << "holes at the beginning are stepped over";
  EXPECT_EQ(view(group).unread, 1u);
}

TEST_F(GroupsTest, WhoIsAddedLearnsWhatTheGroupIsThoughItsFirstEventIsAHole) {
  const auto group = server.group(bob, {cid}, "walk");
  server.say(group, bob, "before ann");
  go_online();
  server.append(group, bob, server.fresh(), model::MembersAdded{{ann}});
  time.run_for(seconds(1));
  ASSERT_EQ(client.diary.events[group].size(), 1u);
  EXPECT_EQ(view(group).kind, model::ConversationKind::group);
  EXPECT_EQ(view(group).title, "walk");
}

TEST_F(GroupsTest, WhatARowToldOfALostHistoryIsToldAnew) {
  for (const bool removed : {false, true}) {
    const auto group = server.group(bob, {ann}, "walk");
    if (core().connection() != Connection::online) go_online();
    time.run_for(seconds(60));
    const auto copy = server.backup();
    server.up = false;
    server.cut();
    server.append(group, bob, server.fresh(), model::ConversationUpdated{"hike", std::nullopt});
    server.say(group, bob, "one");
    server.instead = [](const wire::ClientFrame& frame) {
      return std::holds_alternative<wire::PullFrame>(frame);
    };
    server.up = true;
    time.run_for(seconds(60));
    ASSERT_EQ(view(group).title, "hike") << "told by the row alone";
    ASSERT_EQ(view(group).have.seq, model::Seq{1});
    server.instead = nullptr;
    server.restore(copy);
    if (removed) server.append(group, bob, server.fresh(), model::MemberRemoved{ann});
    time.run_for(seconds(120));
    EXPECT_EQ(view(group).left, removed);
    EXPECT_EQ(view(group).have.seq, model::Seq{removed ? 2u : 1u});
    if (!removed) EXPECT_EQ(view(group).title, "walk");
  }
}

TEST_F(GroupsTest, WhoIsRemovedKeepsWhatTheyHadAndAsksForNothing) {
  const auto group = server.group(bob, {ann});
  server.say(group, bob, "one");
  go_online();
  server.append(group, bob, server.fresh(), model::MemberRemoved{ann});
  server.say(group, bob, "without ann");
  time.run();
  EXPECT_TRUE(view(group).left);
  EXPECT_EQ(view(group).member_count, 0u) << "who left learns nothing of what goes on";
  EXPECT_THAT(texts(core().events(group)), ElementsAre("one"));
  server.got.clear();
  ASSERT_TRUE(core().send(group, {.text = "let me in"}).ok());
  core().read(group, {2});
  core().rename(group, "mine", note());
  time.run_for(seconds(100));
  ASSERT_EQ(client.diary.failed.size(), 1u);
  EXPECT_EQ(client.diary.failed[0].second, wire::Code::not_member);
  EXPECT_THAT(refused, ElementsAre(wire::Code::not_member));
  EXPECT_THAT(server.got_of<wire::PullFrame>(), IsEmpty());
  EXPECT_THAT(server.got_of<wire::MarkFrame>(), IsEmpty());
  server.append(group, bob, server.fresh(), model::MembersAdded{{cid}});
  server.append(group, bob, server.fresh(), model::MembersAdded{{ann}});
  server.say(group, bob, "back");
  time.run_for(seconds(1));
  EXPECT_FALSE(view(group).left);
  EXPECT_EQ(view(group).member_count, 3u) << "somebody joined while ann was away";
  EXPECT_THAT(texts(core().events(group)), ElementsAre("one", "back"));
  EXPECT_EQ(view(group).unread, 1u);
}

TEST_F(GroupsTest, WhoWasRemovedWhileAwaySeesTheEnd) {
  const auto group = server.group(bob, {ann});
  go_online();
  server.up = false;
  server.cut();
  server.say(group, bob, "nearly");
  server.append(group, bob, server.fresh(), model::MemberRemoved{ann});
  server.say(group, bob, "without ann");
  server.up = true;
  time.run_for(seconds(20));
  EXPECT_TRUE(view(group).left);
  EXPECT_EQ(core().connection(), Connection::online);
  EXPECT_EQ(view(group).have.seq, model::Seq{3});
  EXPECT_THAT(texts(core().events(group)), ElementsAre("nearly"));
}

TEST_F(GroupsTest, APullThatIsRefusedToWhoLeftKeepsTheCopy) {
  const auto group = server.group(bob, {ann});
  server.say(group, bob, "one");
  go_online();
  server.instead = [&](const wire::ClientFrame& f) {
    const auto* pull = std::get_if<wire::PullFrame>(&f);
    if (!pull) return false;
    server.push(wire::encode(wire::ErrorFrame{.request = pull->request, .code = wire::Code::not_member}));
    return true;
  };
  auto gap = server.chats[group].events.back();
  gap.seq = {9};
  gap.id = {gap.id.value + 900};
  server.push(wire::encode_event(gap));
  time.run_for(seconds(5));
  EXPECT_TRUE(view(group).left);
  EXPECT_THAT(texts(core().events(group)), ElementsAre("one"));
  EXPECT_EQ(server.got_of<wire::PullFrame>().back().after, model::Seq{2});
  server.got.clear();
  time.run_for(seconds(60));
  EXPECT_THAT(server.got_of<wire::PullFrame>(), IsEmpty());
}

TEST_F(GroupsTest, ACommandIsTriedAgainUnderItsClientIdUntilItIsAnswered) {
  const auto group = server.group(ann, {bob});
  go_online();
  server.lets_out = [](const std::string& text) { return text.find("\"ok\"") == std::string::npos; };
  core().add_members(group, {cid}, note());
  core().leave(group, note());
  time.run_for(seconds(11));
  server.cut();
  time.run_for(seconds(3));
  EXPECT_THAT(done, IsEmpty());
  EXPECT_THAT(server.got_of<wire::ConversationLeave>(), IsEmpty()) << "one after another";
  server.lets_out = nullptr;
  time.run_for(seconds(20));
  const auto adds = server.got_of<wire::MemberAdd>();
  ASSERT_GE(adds.size(), 3u);
  for (const auto& add : adds) EXPECT_EQ(add.client_id, adds[0].client_id);
  EXPECT_EQ(done.size(), 2u);
  EXPECT_TRUE(done[0].duplicate);
  EXPECT_EQ(server.chats[group].events.size(), 3u);
  EXPECT_TRUE(view(group).left);
  EXPECT_EQ(core().command_count(), 0u);
}

// Its first event, which names the members, is a hole for who was added later.
TEST_F(GroupsTest, MembersAreCountedAnewAfterARestore) {
  const auto group = server.group(bob, {cid, dan}, "walk");
  server.append(group, bob, server.fresh(), model::MembersAdded{{ann}});
  go_online();
  const auto backup = server.backup();
  server.say(group, bob, "lost");
  time.run();
  ASSERT_EQ(view(group).member_count, 4u);
  server.restore(backup);
  for (int n = 0; n < 3; ++n) server.say(group, bob, "new");
  time.run_for(seconds(5));
  EXPECT_EQ(client.diary.resets, 1);
  EXPECT_EQ(view(group).member_count, 4u);
}

// No event of it comes to the session that asked, and the answer that says so was lost.
TEST_F(GroupsTest, WhatAnUnansweredTryDidIsPulled) {
  const auto group = server.group(ann, {bob});
  go_online();
  server.lets_out = [](const std::string& text) { return text.find("\"ok\"") == std::string::npos; };
  core().add_members(group, {cid}, note());
  time.run_for(seconds(9));
  server.lets_out = nullptr;
  time.run_for(seconds(3));
  ASSERT_EQ(done.size(), 1u);
  EXPECT_TRUE(done[0].duplicate);
  EXPECT_EQ(server.opened, 1);
  EXPECT_EQ(client.diary.events[group], server.chats[group].events);
  EXPECT_THAT(view(group).members, ElementsAre(ann, bob, cid));
}

TEST_F(GroupsTest, BusyIsTriedAgainAndARefusalIsTold) {
  const auto group = server.group(ann, {bob});
  go_online();
  int busy = 2;
  server.instead = [&](const wire::ClientFrame& f) {
    const auto* role = std::get_if<wire::MemberRole>(&f);
    if (!role) return false;
    server.push(wire::encode(wire::ErrorFrame{.request = role->request,
                                              .code = busy-- > 0 ? wire::Code::busy : wire::Code::mode,
                                              .message = "no"}));
    return true;
  };
  core().set_role(group, ann, model::Role::member, note());
  time.run_for(seconds(5));
  EXPECT_THAT(refused, ElementsAre(wire::Code::mode));
  EXPECT_EQ(server.got_of<wire::MemberRole>().size(), 3u);
}

// If only the newest try counted, a server that takes longer than a try would be asked for ever.
TEST_F(GroupsTest, TheAnswerToAnEarlierTryCounts) {
  const auto group = server.group(ann, {bob});
  go_online();
  std::vector<wire::Request> asked;
  server.instead = [&](const wire::ClientFrame& f) {
    const auto* role = std::get_if<wire::MemberRole>(&f);
    if (role) asked.push_back(role->request);
    return role != nullptr;
  };
  core().set_role(group, bob, model::Role::admin, note());
  time.run_for(seconds(29));
  ASSERT_EQ(asked.size(), 2u) << "10 s, then 20 s";
  server.push(wire::encode(
      wire::ErrorFrame{.request = asked[0], .code = wire::Code::forbidden, .message = "not any more"}));
  time.run_for(milliseconds(100));
  EXPECT_THAT(refused, IsEmpty()) << "the later try may be granted";
  time.run_for(seconds(2));
  ASSERT_EQ(asked.size(), 3u);
  server.push(wire::encode(wire::Ok{.request = asked[1], .conversation = group, .seq = {1}}));
  time.run_for(milliseconds(100));
  EXPECT_EQ(done.size(), 1u);
  EXPECT_EQ(core().command_count(), 0u);
}

// Only a row of the lost history told of a member; no event takes it back.
TEST_F(GroupsTest, WhomOnlyALostHistoryAddedIsNoMember) {
  const auto group = server.group(ann, {bob});
  go_online();
  const auto backup = server.backup();
  server.lets_out = [](const std::string& text) { return text.find("member.added") == std::string::npos; };
  server.append(group, ann, server.fresh(), model::MembersAdded{{cid}});
  server.instead = [](const wire::ClientFrame& f) { return std::holds_alternative<wire::PullFrame>(f); };
  server.cut();
  time.run_for(seconds(5));
  ASSERT_THAT(view(group).members, testing::Contains(cid)) << "as the list tells it";
  server.lets_out = nullptr;
  server.instead = nullptr;
  server.restore(backup);
  time.run_for(seconds(40));
  EXPECT_THAT(view(group).members, testing::UnorderedElementsAre(ann, bob));
}

TEST_F(GroupsTest, CommandsHaveABound) {
  for (size_t n = 0; n <= commands_max; ++n) core().rename(model::ConversationId{{1}}, "x", note());
  EXPECT_THAT(refused, IsEmpty()) << "never inside the call";
  time.run();
  EXPECT_THAT(refused, ElementsAre(wire::Code::busy));
  EXPECT_EQ(core().command_count(), commands_max);
}

TEST_F(GroupsTest, BlocksAreKnownFromTheOwnLog) {
  server.tell(ann, model::BlockSet{bob, true});
  go_online();
  EXPECT_THAT(core().blocked(), ElementsAre(bob));
  core().block(cid, true, note());
  core().block(bob, false, note());
  time.run_for(seconds(1));
  EXPECT_THAT(core().blocked(), ElementsAre(cid));
  server.tell(ann, model::BlockSet{dan, true});
  time.run();
  EXPECT_THAT(core().blocked(), ElementsAre(cid, dan));
  const auto own = model::self_conversation(ann);
  EXPECT_EQ(client.diary.events[own], server.chats[own].events);
  EXPECT_THAT(core().conversations(), IsEmpty()) << "the own log is no conversation with anybody";
  EXPECT_EQ(view(own).unread, 0u);
}

TEST_F(GroupsTest, WhatTheOwnLogListsIsFetched) {
  go_online();
  server.lets_out = [](const std::string& text) {
    return text.find("conversation.created") == std::string::npos;
  };
  const auto group = server.group(bob, {ann}, "walk");
  server.tell(ann, model::ConversationListed{group, model::ConversationKind::group, true});
  server.lets_out = nullptr;
  time.run_for(seconds(1));
  ASSERT_NE(core().conversation(group), nullptr);
  EXPECT_EQ(view(group).title, "walk");
  server.lets_out = [](const std::string& text) { return text.find("member.removed") == std::string::npos; };
  server.append(group, bob, server.fresh(), model::MemberRemoved{ann});
  server.lets_out = nullptr;
  server.tell(ann, model::ConversationListed{group, model::ConversationKind::group, false});
  time.run_for(seconds(1));
  EXPECT_TRUE(view(group).left);
  EXPECT_EQ(client.diary.events[group], server.chats[group].events);
}

}  // namespace
}  // namespace tidings::client
