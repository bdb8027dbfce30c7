// Groups, marks, effects: who may what, what they may read, what is unread.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "fold/fold.h"

namespace tidings::fold {
namespace {

using base::WallTime;
using model::ClientId;
using model::Command;
using model::Position;
using model::Role;
using model::Seq;
using model::UserId;
using wire::Code;

constexpr UserId ann{11}, bob{22}, eve{33}, tom{44}, zoe{55};
const WallTime t0 = base::wall_from_ms(1'795'300'000'000);

// A group of Ann's, fed record by record, and all its events.
struct Group {
  ConversationState state;
  Position position{100};
  uint64_t ids = 0;
  ClientId create_id = next_id();
  model::ConversationId id = model::group_conversation(ann, create_id);
  std::vector<model::Event> events;

  explicit Group(std::vector<UserId> others = {bob}, model::History history = model::History::joining) {
    others.insert(others.begin(), ann);
    Command c =
        command(ann, model::CreateConversation{model::ConversationKind::group, others, "tea", history});
    c.client_id = create_id;
    EXPECT_FALSE(apply(c).reply->error);
  }

  ClientId next_id() { return {model::uuid_v7(t0, 0, ++ids)}; }
  Command command(UserId from, decltype(Command::body) body) {
    Command c;
    c.user = from;
    c.conversation = id;
    c.client_id = next_id();
    c.until = t0 + std::chrono::seconds(30);
    c.body = std::move(body);
    return c;
  }
  Output apply(model::Entering record) {
    ++position.value;
    Output out = fold(state, {position, model::partition_of(id), t0, t0, 1}, std::move(record), {});
    if (out.event && !out.repeated) events.push_back(*out.event);
    return out;
  }
  std::optional<Code> run(UserId from, decltype(Command::body) body) {
    return apply(command(from, std::move(body))).reply->error;
  }
  std::optional<Code> say(UserId from) {
    return run(from, model::SendMessage{{model::MessageKind::text, "hi"}, {}});
  }
  bool mark(UserId who, uint64_t read, uint64_t delivered = 0, bool hidden = false) {
    model::Marking m;
    m.user = who;
    m.conversation = id;
    m.read = {read};
    for (const auto& e : events) {
      if (e.seq.value == read) m.read_ord = e.ord;
    }
    m.delivered = {delivered};
    m.hidden = hidden;
    return apply(m).moved.has_value();
  }
  const Member& member(UserId user) { return *state.member(user); }
};

TEST(Group, RolesDecideWhoMayWhat) {
  Group group({bob, eve});
  EXPECT_EQ(group.run(bob, model::AddMembers{{tom}}), Code::forbidden);
  EXPECT_EQ(group.run(bob, model::UpdateConversation{"x", {}}), Code::forbidden);
  EXPECT_EQ(group.run(bob, model::SetRole{bob, Role::owner}), Code::forbidden);
  EXPECT_FALSE(group.run(ann, model::SetRole{bob, Role::admin}));
  EXPECT_FALSE(group.run(bob, model::AddMembers{{tom}}));
  EXPECT_FALSE(group.run(bob, model::UpdateConversation{"coffee", {}}));
  EXPECT_EQ(group.state.title, "coffee");
  EXPECT_EQ(group.run(bob, model::RemoveMember{ann}), Code::forbidden);
  EXPECT_EQ(group.run(bob, model::SetRole{eve, Role::admin}), Code::forbidden);
  EXPECT_FALSE(group.run(bob, model::RemoveMember{eve}));
  EXPECT_EQ(group.run(bob, model::RemoveMember{eve}), Code::not_found);
  EXPECT_EQ(group.say(eve), Code::not_member);
  EXPECT_EQ(group.say(zoe), Code::not_found);
  EXPECT_EQ(group.run(ann, model::SetRole{ann, Role::member}), Code::mode);
}

TEST(Group, WhatIsSoAlreadyIsAnsweredWithoutAnEvent) {
  Group group({bob});
  const Seq head = group.state.seq;
  for (const auto& body :
       std::vector<decltype(Command::body)>{model::AddMembers{{bob}}, model::UpdateConversation{"tea", {}},
                                            model::SetRole{bob, Role::member}}) {
    const Output out = group.apply(group.command(ann, body));
    EXPECT_TRUE(out.reply->duplicate);
    EXPECT_EQ(out.reply->seq, head);
    EXPECT_FALSE(out.event);
  }
}

TEST(Group, TheOldestAdminSucceedsTheLastOwnerAndElseTheOldestMember) {
  Group group({zoe, eve});
  group.run(ann, model::AddMembers{{bob}});
  group.run(ann, model::SetRole{bob, Role::admin});
  EXPECT_FALSE(group.run(ann, model::LeaveConversation{}));
  EXPECT_EQ(std::get<model::MemberLeft>(group.events.back().body).successor, bob);
  EXPECT_EQ(group.member(bob).role, Role::owner);
  EXPECT_FALSE(group.run(bob, model::LeaveConversation{}));
  EXPECT_EQ(group.member(eve).role, Role::owner);  // of two who came together the lower id
  EXPECT_FALSE(group.run(eve, model::LeaveConversation{}));
  EXPECT_FALSE(group.run(zoe, model::LeaveConversation{}));
  EXPECT_EQ(group.state.member_count, 0u);
}

TEST(Group, NoMoreMembersThanTheRulesAllow) {
  Group group;
  std::vector<UserId> many;
  for (uint64_t i = 0; i < members_max - 2; ++i) many.push_back({1000 + i});
  EXPECT_FALSE(group.run(ann, model::AddMembers{many}));
  EXPECT_EQ(group.state.member_count, members_max);
  EXPECT_EQ(group.run(ann, model::AddMembers{{eve}}), Code::limit);
  EXPECT_FALSE(group.run(ann, model::RemoveMember{bob}));
  EXPECT_FALSE(group.run(ann, model::AddMembers{{eve}}));
}

TEST(Group, AHiddenMarkDoesNotHideWhatItDelivers) {
  Group group;
  group.say(ann);
  const auto mark = [&](uint64_t read, uint64_t delivered) {
    model::Marking m;
    m.user = bob;
    m.conversation = group.id;
    m.read = {read};
    m.read_ord = {read > 0 ? read - 1 : 0};
    m.delivered = {delivered};
    m.hidden = true;
    return group.apply(m).moved;
  };
  const uint64_t first = group.state.seq.value;
  auto moved = mark(first, 0);
  ASSERT_TRUE(moved);
  EXPECT_FALSE(moved->hidden) << "the others may know that it was delivered";
  group.say(ann);
  moved = mark(0, first + 1);
  ASSERT_TRUE(moved);
  EXPECT_FALSE(moved->hidden);
  moved = mark(first + 1, 0);
  ASSERT_TRUE(moved);
  EXPECT_TRUE(moved->hidden);
  EXPECT_LT(group.member(bob).shown_read.value, first);
}

// protocol.md §7: in 1–100, removed, back at 200: nobody reads between.
TEST(Group, WhoComesBackDoesNotReadWhatWasSaidBetween) {
  Group group;
  group.say(ann);
  group.run(ann, model::RemoveMember{bob});
  const Seq removed = group.state.seq;
  for (int i = 0; i < 3; ++i) group.say(ann);
  group.run(ann, model::AddMembers{{bob}});
  const Seq back = group.state.seq;
  const Member& m = group.member(bob);
  for (uint64_t seq = 1; seq <= back.value; ++seq)
    EXPECT_EQ(m.may_read({seq}), seq <= removed.value || seq >= back.value) << seq;
  EXPECT_EQ(unread(group.state, m), 0u);
  group.say(ann);
  EXPECT_EQ(unread(group.state, m), 1u);
}

TEST(Group, HistoryForAllIsReadFromTheBeginningByWhoJoinsThen) {
  Group group({bob});
  group.say(ann);
  group.run(ann, model::AddMembers{{eve}});
  EXPECT_FALSE(group.member(eve).may_read({2}));
  group.run(ann, model::UpdateConversation{{}, model::History::all});
  group.run(ann, model::AddMembers{{tom}});
  EXPECT_TRUE(group.member(tom).may_read({1}));
  EXPECT_FALSE(group.member(eve).may_read({2}));
}

TEST(Group, ManyReturnsForgetTheOldestInterval) {
  Group group;
  for (size_t i = 0; i < intervals_max; ++i) {
    group.run(ann, model::RemoveMember{bob});
    group.run(ann, model::AddMembers{{bob}});
  }
  const Member& m = group.member(bob);
  EXPECT_EQ(m.intervals.size(), intervals_max);
  EXPECT_FALSE(m.may_read({1}));
}

TEST(Marks, OnlyGrowAndNeverPassTheHead) {
  Group group;
  for (int i = 0; i < 5; ++i) group.say(ann);
  EXPECT_TRUE(group.mark(bob, 4));
  EXPECT_FALSE(group.mark(bob, 3));
  EXPECT_FALSE(group.mark(bob, 99));
  EXPECT_FALSE(group.mark(bob, 0, 99));
  EXPECT_FALSE(group.mark(eve, 2));
  EXPECT_EQ(group.member(bob).read.value, 4u);
  EXPECT_EQ(group.member(bob).delivered.value, 4u);
  EXPECT_TRUE(group.mark(bob, 0, 6));
  EXPECT_EQ(group.member(bob).read.value, 4u);
  EXPECT_EQ(group.state.marks, 2u);
}

TEST(Marks, WhatIsReadInPrivateIsNotShown) {
  Group group;
  group.say(ann);
  group.say(ann);
  EXPECT_TRUE(group.mark(bob, 3, 0, true));
  const auto others = marks_for(group.state, ann), own = marks_for(group.state, bob);
  const auto of_bob = [](const auto& marks) {
    return std::ranges::find(marks, bob, &model::Mark::user)->read.value;
  };
  EXPECT_EQ(of_bob(others), 1u);
  EXPECT_EQ(of_bob(own), 3u);
  EXPECT_EQ(unread(group.state, group.member(bob)), 0u);
}

// Every event, mark, join and leave at random, against a count that knows nothing of the arithmetic.
TEST(Marks, UnreadAndReadableEqualTheBruteForce) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    Group group({bob, eve, tom});
    std::map<UserId, std::set<uint64_t>> own_evicted;
    const std::vector<UserId> people{bob, eve, tom, zoe};
    for (int i = 0; i < 300; ++i) {
      const UserId who = people[random() % people.size()];
      const auto known = group.state.member(who);
      const bool in = known && known->is_member();
      switch (random() % 8) {
        case 0:
          if (random() % 4 == 0)
            in ? group.run(ann, model::RemoveMember{who}) : group.run(ann, model::AddMembers{{who}});
          break;
        case 1:
        case 2:
          if (in)
            group.mark(who, known->read.value + random() % (group.state.seq.value - known->read.value + 1));
          break;
        default:
          group.say(random() % 2 ? who : ann);
      }
      for (const UserId user : people) {
        const Member* m = group.state.member(user);
        if (!m || !m->is_member() || m->evicted) continue;
        const auto count = std::ranges::count_if(group.events, [&](const auto& e) {
          return is_countable(e) && e.seq > m->read && e.from != user && m->may_read(e.seq);
        });
        ASSERT_EQ(unread(group.state, *m), static_cast<uint64_t>(count)) << "seed " << seed << " step " << i;
      }
    }
  }
}

TEST(Marks, ManyReadersAreCounted) {
  Group group;
  std::vector<UserId> many;
  for (uint64_t i = 0; i < 60; ++i) many.push_back({1000 + i});
  group.run(ann, model::AddMembers{many});
  group.say(ann);
  const uint64_t first = group.state.seq.value;
  group.say(ann);
  for (uint64_t i = 0; i < 20; ++i) group.mark({1000 + i}, i < 5 ? first + 1 : first);
  const auto counts = Counts(group.state).of(ann);
  ASSERT_GE(counts.size(), 2u);
  EXPECT_EQ(counts[counts.size() - 2], (model::ReadCount{{first}, 20, 20}));
  EXPECT_EQ(counts.back(), (model::ReadCount{{first + 1}, 5, 5}));
  EXPECT_EQ(marks_for(group.state, ann).size(), 1u);
}

TEST(Effects, ABlockSilencesTheOtherInTheDirectConversationWhetherItExistsOrNot) {
  for (const bool exists : {true, false}) {
    ConversationState direct, self;
    Position position{10};
    const auto conversation = model::direct_conversation(ann, bob);
    const auto apply = [&](ConversationState& state, model::Entering record) {
      ++position.value;
      return fold(state, {position, {}, t0, t0, 1}, std::move(record), {});
    };
    uint64_t ids = 0;
    const auto command = [&](UserId from, const model::ConversationId& where, decltype(Command::body) body) {
      return Command{
          from, {}, {}, where, {model::uuid_v7(t0, 0, ++ids)}, t0 + std::chrono::seconds(9), std::move(body)};
    };
    const auto create = command(
        bob, conversation,
        model::CreateConversation{model::ConversationKind::direct, {bob, ann}, {}, model::History::joining});
    const auto say = [&](UserId from) {
      return apply(direct,
                   command(from, conversation, model::SendMessage{{model::MessageKind::text, "x"}, {}}))
          .reply->error;
    };
    if (exists) apply(direct, create);
    const Output block = apply(self, command(ann, model::self_conversation(ann), model::SetBlock{bob, true}));
    ASSERT_TRUE(block.event);
    const auto effects = effects_of(*block.event, position);
    ASSERT_EQ(effects.size(), 1u);
    EXPECT_EQ(effects[0].conversation, conversation);
    EXPECT_FALSE(apply(direct, effects[0]).event);
    if (!exists) EXPECT_FALSE(apply(direct, create).reply->error);
    EXPECT_EQ(say(bob), Code::forbidden);
    EXPECT_FALSE(say(ann));
    // Once more changes nothing; nobody else's own log can do it.
    EXPECT_FALSE(apply(direct, effects[0]).changed);
    auto forged = effects[0];
    forged.source = model::self_conversation(eve);
    forged.source_position.value += 100;
    std::get<model::Effect::Blocking>(forged.body).blocked = false;
    EXPECT_FALSE(apply(direct, forged).changed);
    const Output unblock =
        apply(self, command(ann, model::self_conversation(ann), model::SetBlock{bob, false}));
    apply(direct, effects_of(*unblock.event, position).at(0));
    EXPECT_FALSE(say(bob));
  }
}

TEST(Effects, TheOwnLogListsEachMembershipOnce) {
  Group group({bob});
  group.run(ann, model::RemoveMember{bob});
  group.run(ann, model::AddMembers{{bob}});
  ConversationState self;
  Position position{1000};
  std::vector<bool> listed;
  const auto take = [&](const model::Effect& effect) {
    if (effect.conversation != model::self_conversation(bob)) return;
    ++position.value;
    const Output out = fold(self, {position, {}, t0, t0, 1}, model::Effect(effect), {});
    if (out.event) listed.push_back(std::get<model::ConversationListed>(out.event->body).listed);
  };
  for (int twice = 0; twice < 2; ++twice) {
    for (const auto& event : group.events) {
      for (const auto& effect : effects_of(event, {event.seq.value + 100})) take(effect);
    }
  }
  EXPECT_EQ(listed, (std::vector<bool>{true, false, true}));
  EXPECT_EQ(self.kind, model::ConversationKind::self);
  EXPECT_EQ(unread(self, *self.member(bob)), 0u);
}

// As the store keeps them: a value and parts, of which only the changed are written.
TEST(State, PartsComeBackAsTheyWere) {
  Group group;
  std::map<base::Bytes, base::Bytes> parts;
  base::Bytes value;
  std::mt19937 random(4);
  size_t written = 0, rounds = 0;
  for (int i = 0; i < 400; ++i) {
    const UserId who{1000 + random() % 120};
    const Member* m = group.state.member(who);
    if (!m || !m->is_member()) {
      group.run(ann, model::AddMembers{{who}});
    } else if (random() % 9 == 0) {
      group.run(ann, model::RemoveMember{who});
    } else {
      random() % 2 ? (void)group.say(who) : (void)group.mark(who, group.state.seq.value);
    }
    if (random() % 3) continue;
    auto encoded = encode_state(group.state);
    mark_saved(group.state);
    value = std::move(encoded.value);
    written += encoded.parts.size();
    ++rounds;
    for (auto& part : encoded.parts) parts[part.key] = part.value;
    ports::StoredState stored{value, {}};
    for (const auto& [key, part] : parts) stored.parts.push_back({key, part});
    const auto back = decode_state(stored);
    ASSERT_TRUE(back) << back.error().sentence;
    ASSERT_EQ(*back, group.state);
    if (!parts.empty()) {
      const auto seen = glance({value, {{member_part(bob), parts.at(member_part(bob))}}});
      ASSERT_TRUE(seen);
      EXPECT_TRUE(seen->partial);
      EXPECT_EQ(*seen->member(bob), group.member(bob));
      auto damaged = stored;
      damaged.parts.erase(damaged.parts.begin() + static_cast<ptrdiff_t>(random() % damaged.parts.size()));
      EXPECT_FALSE(decode_state(damaged));
    }
  }
  EXPECT_GT(parts.size(), members_inside_max);
  EXPECT_LT(written, rounds * 8);
}

TEST(State, WhatIsQuarantinedAnswersInternalForEver) {
  Group group;
  group.apply(model::Quarantine{group.id});
  EXPECT_EQ(group.say(ann), Code::internal);
  const auto back = decode_state({encode_state(group.state).value, {}});
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->quarantined);
}

}  // namespace
}  // namespace tidings::fold
