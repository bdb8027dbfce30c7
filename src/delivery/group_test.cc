// Groups, marks, history and effects through a whole shard.
#include "delivery/shard_for_test.h"

namespace tidings::delivery {
namespace {

// --- groups

class GroupShardTest : public ShardTest {
 protected:
  const ClientId group_id{model::uuid_v7(t0, 9, 9)};
  const model::ConversationId group = model::group_conversation(ann, group_id);
  uint64_t ids = 1000;

  model::Command in_group(UserId from, decltype(model::Command::body) body) {
    model::Command c;
    c.user = from;
    c.reply_to = {gateway_a, 5, ++ids};
    c.conversation = group;
    c.client_id = {model::uuid_v7(t0, 0, ids)};
    c.until = t0 + std::chrono::seconds(30);
    c.body = std::move(body);
    return c;
  }
  void make_group(std::vector<UserId> others) {
    others.insert(others.begin(), ann);
    auto c = in_group(ann, model::CreateConversation{model::ConversationKind::group, others, "tea", {}});
    std::get<model::CreateConversation>(c.body).history = model::History::joining;
    c.client_id = group_id;
    ASSERT_FALSE(run(std::move(c)).error);
  }
  ports::Reply say(UserId from, std::string text = "hi") {
    return run(in_group(from, model::SendMessage{{model::MessageKind::text, std::move(text)}, {}}));
  }
  wire::Answer<ports::Page> pull_group(UserId who, uint64_t after, size_t limit = 200) {
    up(ports::Pull{3, who, group, {after}, {}, limit});
    settle();
    return std::move(a.take<ports::PageOut>().at(0).page);
  }
  wire::Answer<ports::Page> history(UserId who, ports::History::Where where, uint64_t seq, size_t limit) {
    up(ports::History{3, who, group, where, {seq}, {}, limit});
    settle();
    return std::move(a.take<ports::PageOut>().at(0).page);
  }
  std::optional<Code> mark(UserId who, model::Seq read, model::Ord ord, std::optional<model::MessageId> id) {
    model::Marking m;
    m.user = who;
    m.reply_to = {gateway_a, 5, ++ids};
    m.conversation = group;
    m.read = read;
    m.read_ord = ord;
    up(ports::Mark{m, id});
    settle();
    make_durable();
    settle();
    const auto replies = a.take<ports::Reply>();
    EXPECT_EQ(replies.size(), 1u);
    return replies.at(0).error;
  }
  static std::vector<uint64_t> seqs_of(const ports::Page& page) {
    std::vector<uint64_t> out;
    for (const auto& text : page.events) {
      const auto frames = wire::parse_server_frames(text);
      out.push_back(std::get<wire::EventFrame>(*frames.frames.at(0)).event.seq.value);
    }
    return out;
  }
  // Every seq of from..upto is an event or in one hole, in order.
  static void expect_covered(const ports::Page& page) {
    std::vector<int> times(page.upto.value + 2);
    for (const auto seq : seqs_of(page)) ++times.at(seq);
    for (const auto& hole : page.holes) {
      for (uint64_t seq = hole.from.value; seq <= hole.to.value; ++seq) ++times.at(seq);
    }
    for (uint64_t seq = page.from.value; seq <= page.upto.value; ++seq) EXPECT_EQ(times[seq], 1) << seq;
    for (uint64_t seq = 0; seq < page.from.value && seq < times.size(); ++seq)
      EXPECT_EQ(times[seq], 0) << seq;
  }
};

TEST_F(GroupShardTest, WhoWasRemovedAndCameBackPullsToTheEndAndReadsNothingBetween) {
  make_group({bob});
  for (int i = 0; i < 3; ++i) say(ann);
  run(in_group(ann, model::RemoveMember{bob}));  // 5
  for (int i = 0; i < 40; ++i) {
    say(ann, "secret");
    if (i % 7 == 0) flush();
  }
  run(in_group(ann, model::AddMembers{{bob}}));  // 46
  say(ann);
  for (const bool flushed : {false, true}) {
    if (flushed) flush_all();
    for (const size_t limit : {1, 3, 200}) {
      uint64_t after = 0;
      std::vector<uint64_t> seen;
      for (int pages = 0; after < 47; ++pages) {
        ASSERT_LT(pages, 60);
        const auto page = pull_group(bob, after, limit);
        ASSERT_TRUE(page);
        expect_covered(*page);
        for (const auto seq : seqs_of(*page)) seen.push_back(seq);
        for (const auto& text : page->events) EXPECT_EQ(text.find("secret"), std::string::npos);
        ASSERT_GT(page->upto.value, after);
        after = page->upto.value;
      }
      EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2, 3, 4, 5, 46, 47}));
    }
  }
}

TEST_F(GroupShardTest, WhoComesInTwiceWithinOneFlushIsListedOnce) {
  make_group({});
  flush_all();
  for (int i = 0; i < 3; ++i) {
    run(in_group(ann, model::AddMembers{{bob}}));
    run(in_group(ann, model::RemoveMember{bob}));
  }
  run(in_group(ann, model::AddMembers{{bob}}));
  EXPECT_EQ(sync(bob).rows.size(), 1u);
  flush_all();
  EXPECT_EQ(std::ranges::count(sync(bob).rows, group, &ports::SyncRow::conversation), 1);
}

TEST_F(GroupShardTest, WhoLeftSeesTheConversationEndThereAndLearnsNoMore) {
  make_group({bob});
  say(ann);
  run(in_group(bob, model::LeaveConversation{}));
  const auto before = sync(bob);
  ASSERT_EQ(before.rows.size(), 1u);
  EXPECT_TRUE(before.rows[0].left);
  run(in_group(ann, model::UpdateConversation{"what bob must not know", {}}));
  say(ann);
  flush_all();
  EXPECT_EQ(pull_group(bob, 0)->head.value, 3u);
  EXPECT_EQ(pull_group(bob, 4).error().code, Code::diverged);
  const auto rows = sync(bob).rows;
  const auto row = std::ranges::find(rows, group, &ports::SyncRow::conversation);
  ASSERT_NE(row, rows.end());
  EXPECT_EQ(row->head.value, 3u);
  EXPECT_EQ(row->title, before.rows[0].title);
  EXPECT_TRUE(row->marks.empty());
  // Nothing changes for bob any more.
  const auto after = sync(bob, {}, before.activity);
  EXPECT_EQ(std::ranges::find(after.rows, group, &ports::SyncRow::conversation), after.rows.end());
  up(ports::AskMembers{7, bob, group, {}, 200});
  EXPECT_EQ(a.take<ports::MembersOut>().at(0).members.error().code, Code::not_member);
  up(ports::AskMembers{7, eve, group, {}, 200});
  EXPECT_EQ(a.take<ports::MembersOut>().at(0).members.error().code, Code::not_found);
}

TEST_F(GroupShardTest, HistoryGoesBackForthAndAround) {
  make_group({bob});
  for (uint64_t i = 2; i <= 60; ++i) {
    say(i % 2 ? ann : bob);
    if (i % 9 == 0) flush();
  }
  using Where = ports::History::Where;
  const auto newest = history(bob, Where::before, (uint64_t{1} << 53) - 1, 10);
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->from.value, 51u);
  EXPECT_EQ(newest->upto.value, 60u);
  EXPECT_TRUE(newest->earlier);
  EXPECT_FALSE(newest->more);
  uint64_t before = 61;
  size_t count = 0;
  while (before > 1) {
    const auto page = history(bob, Where::before, before, 7);
    expect_covered(*page);
    EXPECT_EQ(page->upto.value, before - 1);
    EXPECT_EQ(page->earlier, page->from.value > 1);
    count += page->events.size();
    ASSERT_LT(page->from.value, before);
    before = page->from.value;
  }
  EXPECT_EQ(count, 60u);
  const auto around = history(bob, Where::around, 30, 11);
  expect_covered(*around);
  EXPECT_EQ(seqs_of(*around), (std::vector<uint64_t>{25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35}));
  const auto after = history(bob, Where::after, 58, 11);
  EXPECT_EQ(seqs_of(*after), (std::vector<uint64_t>{59, 60}));
  EXPECT_EQ(history(eve, Where::before, 10, 5).error().code, Code::not_found);
}

TEST_F(GroupShardTest, MarksAreToldAtOnceThenOnceAnInterval) {
  make_group({bob, eve});
  up(ports::Attach{ann});
  up(ports::Attach{bob});
  const auto first = say(ann);
  const auto second = say(ann);
  a.frames.clear();
  EXPECT_FALSE(mark(bob, first.seq, first.ord, first.id));
  auto receipts = a.take<ports::ReceiptOut>();
  ASSERT_EQ(receipts.size(), 1u);
  EXPECT_EQ(receipts[0].people, (std::vector<UserId>{ann, bob}));
  EXPECT_FALSE(mark(bob, second.seq, second.ord, second.id));
  EXPECT_TRUE(a.take<ports::ReceiptOut>().empty());
  home.fire_timers();
  home.fire_timers();
  receipts = a.take<ports::ReceiptOut>();
  ASSERT_EQ(receipts.size(), 1u);
  const auto frames = wire::parse_server_frames(receipts[0].bytes);
  const auto& receipt = std::get<wire::Receipt>(*frames.frames.at(0));
  EXPECT_EQ(receipt.marks, (std::vector<model::Mark>{{bob, second.seq, second.seq}}));
  EXPECT_EQ(receipt.mark_count, 2u);
}

TEST_F(GroupShardTest, FocusIsForgottenWithItsLinkAndStaysWithOthers) {
  std::vector<UserId> many;
  for (uint64_t n = 100; n < 140; ++n) many.push_back({n});
  make_group(many);
  std::vector<ports::Reply> said;
  for (int i = 0; i < 6; ++i) said.push_back(say(ann));
  for (const auto gateway : {gateway_a, gateway_b}) {
    up(ports::Attach{ann}, gateway);
    up(ports::Focus{ann, group, true}, gateway);
  }
  const auto in_focus = [&](Gateway& at) {
    return std::ranges::count_if(at.take<ports::ReceiptOut>(), &ports::ReceiptOut::in_focus);
  };
  size_t next = 0;
  const auto somebody_reads = [&] {
    const auto& event = said[next];
    EXPECT_FALSE(mark(many[next++], event.seq, event.ord, event.id));
    home.fire_timers();
    home.fire_timers();
  };
  a.frames.clear();
  b.frames.clear();
  somebody_reads();
  EXPECT_EQ(in_focus(a), 1) << "though she looks from two gateways";
  EXPECT_EQ(in_focus(b), 1);
  shard->on_unlink(gateway_b);
  somebody_reads();
  EXPECT_EQ(in_focus(a), 1);
  shard->on_unlink(gateway_a);
  shard->on_link(gateway_a, a);
  up(ports::Attach{ann});
  somebody_reads();
  EXPECT_EQ(in_focus(a), 0);
}

TEST_F(GroupShardTest, AReceiptNamesNobodyWhoHasLeftMeanwhile) {
  make_group({bob, eve});
  up(ports::Attach{ann});
  const auto first = say(ann);
  const auto second = say(ann);
  EXPECT_FALSE(mark(bob, first.seq, first.ord, first.id));
  EXPECT_FALSE(mark(bob, second.seq, second.ord, second.id));
  EXPECT_FALSE(run(in_group(ann, model::RemoveMember{bob})).error);
  a.frames.clear();
  home.fire_timers();
  home.fire_timers();
  EXPECT_TRUE(a.take<ports::ReceiptOut>().empty());
}

// Who joins has read the joining event; without a receipt nobody would know before the next sync.
TEST_F(GroupShardTest, TheMarkOfWhoJoinsIsTold) {
  make_group({bob});
  up(ports::Attach{ann});
  a.frames.clear();
  const auto joined = run(in_group(ann, model::AddMembers{{eve}}));
  const auto events = a.take<ports::EventOut>();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].joined, std::vector<UserId>{eve}) << "who lacks what was said before";
  const auto receipts = a.take<ports::ReceiptOut>();
  ASSERT_EQ(receipts.size(), 1u);
  const auto frames = wire::parse_server_frames(receipts[0].bytes);
  EXPECT_EQ(std::get<wire::Receipt>(*frames.frames.at(0)).marks,
            (std::vector<model::Mark>{{eve, joined.seq, joined.seq}}));
}

// After a restore somebody may hold what, in the branch that goes on, was said while he was no member.
TEST_F(GroupShardTest, WhoHoldsWhatHeMayNotReadHoldsAnotherHistory) {
  make_group({bob});
  const auto removed = run(in_group(ann, model::RemoveMember{bob}));
  const auto between = say(ann, "secret");
  const auto back = run(in_group(ann, model::AddMembers{{bob}}));
  const auto pull = [&](const ports::Reply& held) {
    up(ports::Pull{3, bob, group, held.seq, model::Cursor{held.seq, held.id}, 200});
    settle();
    return std::move(a.take<ports::PageOut>().at(0).page);
  };
  const auto history = [&](const ports::Reply& held) {
    up(ports::History{3, bob, group, ports::History::Where::before, held.seq,
                      model::Cursor{held.seq, held.id}, 200});
    settle();
    return std::move(a.take<ports::PageOut>().at(0).page);
  };
  for (const bool flushed : {false, true}) {
    if (flushed) flush_all();
    EXPECT_TRUE(pull(removed));
    EXPECT_TRUE(pull(back));
    ASSERT_FALSE(pull(between));
    EXPECT_EQ(pull(between).error().code, Code::diverged);
    EXPECT_EQ(history(between).error().code, Code::diverged);
    EXPECT_TRUE(history(back));
  }
  // Of what was forgotten only the id can tell.
  for (size_t i = 0; i < fold::intervals_max; ++i) {
    run(in_group(ann, model::RemoveMember{bob}));
    run(in_group(ann, model::AddMembers{{bob}}));
  }
  EXPECT_TRUE(pull(removed));
  auto other = removed;
  other.id.value ^= 1;
  EXPECT_EQ(pull(other).error().code, Code::diverged);
}

TEST_F(GroupShardTest, AMarkOfAnotherHistoryOrOfAStrangerIsNotAppended) {
  make_group({bob});
  const auto first = say(ann);
  say(ann);
  flush_all();
  EXPECT_EQ(mark(bob, first.seq, first.ord, model::MessageId{first.id.value ^ 1}), Code::diverged);
  EXPECT_EQ(mark(eve, first.seq, first.ord, first.id), Code::not_found);
  EXPECT_TRUE(log.appended.empty());
  EXPECT_FALSE(mark(bob, first.seq, first.ord, first.id));
}

TEST_F(GroupShardTest, WhoReadItAndWhenIsAnsweredToMembers) {
  make_group({bob, eve});
  const auto first = say(ann);
  const auto second = say(ann);
  mark(bob, first.seq, first.ord, first.id);
  flush_all();
  mark(bob, second.seq, second.ord, second.id);
  flush_all();
  const auto ask = [&](UserId who, model::Seq seq) {
    up(ports::AskReads{7, who, group, seq});
    settle();
    return std::move(a.take<ports::ReadsOut>().at(0).rows);
  };
  const auto rows = ask(ann, first.seq);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->at(0).user, bob);
  EXPECT_TRUE(rows->at(0).read);
  EXPECT_EQ(rows->at(0).read_at, t0);
  EXPECT_EQ(rows->at(0).delivered_at, t0);
  EXPECT_EQ(ask({99}, first.seq).error().code, Code::not_found);
}

// How often the mark moved, and that it did, would tell that it was read.
TEST_F(GroupShardTest, WhatIsReadInPrivateDoesNotShowInCountOrActivity) {
  make_group({bob});
  const auto first = say(ann);
  flush_all();
  mark(bob, {0}, {0}, {});
  const auto before_ann = sync(ann), before_bob = sync(bob);
  model::Marking m;
  m.user = bob;
  m.conversation = group;
  m.delivered = first.seq;
  up(ports::Mark{m, {}});
  make_durable();
  settle();
  const auto seen = sync(ann);
  m.read = first.seq;
  m.read_ord = first.ord;
  m.hidden = true;
  up(ports::Mark{m, {}});
  make_durable();
  settle();
  EXPECT_EQ(pull_group(ann, 0)->mark_count, seen.rows.front().mark_count);
  EXPECT_TRUE(sync(ann, {}, seen.activity).rows.empty());
  // Bob's other devices hear of it.
  EXPECT_EQ(sync(bob, {}, seen.activity).rows.size(), 1u);
}

// A receipt may die in a crash: the next sync brings the mark back.
TEST_F(GroupShardTest, MarksMakeAConversationDifferForSyncs) {
  make_group({bob});
  const auto first = say(ann);
  flush_all();
  const auto before = sync(ann);
  std::vector<ports::VectorRow> have;
  for (const auto& row : before.rows)
    have.push_back({row.conversation, row.head, row.head_id, row.mark_count});
  EXPECT_TRUE(sync(ann, have).rows.empty());
  EXPECT_TRUE(sync(ann, {}, before.activity).rows.empty());
  // What the device still has to fetch is listed again.
  EXPECT_EQ(sync(ann, {have.front()}, before.activity).rows.size(), 1u);
  mark(bob, first.seq, first.ord, first.id);
  EXPECT_EQ(sync(ann, have).rows.size(), 1u);
  const auto rows = sync(ann, {}, before.activity).rows;
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].conversation, group);
}

TEST_F(GroupShardTest, EffectsArriveOnceWhereverACrashComes) {
  // The event and its state are written, its effects are not: they are found in the feed.
  make_group({bob});
  flush();
  log.appended.clear();
  restart();
  flush_all();
  const auto listed = [&](UserId who) {
    up(ports::Pull{3, who, model::self_conversation(who), {0}, {}, 200});
    settle();
    auto pages = a.take<ports::PageOut>();
    return pages.at(0).page ? pages.at(0).page->events.size() : 0;
  };
  EXPECT_EQ(listed(bob), 1u);
  EXPECT_EQ(listed(ann), 1u);
  // Appended, and the checkpoint does not know it yet.
  run(in_group(ann, model::AddMembers{{eve}}));
  home.fire_timers();
  make_durable();
  restart();
  flush_all();
  restart();
  flush_all();
  EXPECT_EQ(listed(eve), 1u);
  EXPECT_EQ(listed(bob), 1u);
  // All is known to be done: nothing is appended any more.
  restart();
  home.fire_timers();
  settle();
  EXPECT_TRUE(log.appended.empty());
}

TEST_F(GroupShardTest, AStateThatCannotBeDecodedAnswersInternalAndNothingElseWaits) {
  make_group({bob});
  run(create(ann, bob, 5000));
  flush_all();
  ports::StoreBatch damage;
  damage.states.push_back({group, {store.low()->value}, "damaged", {}});
  ASSERT_TRUE(store.commit(damage));
  restart();
  EXPECT_EQ(say(ann).error, Code::internal);
  make_durable();
  settle();
  EXPECT_EQ(say(bob).error, Code::internal);
  EXPECT_FALSE(run(send(ann, bob, 5001)).error);
  EXPECT_EQ(shard->folded_below(), log.end());
  flush_all();
  restart();
  EXPECT_EQ(say(ann).error, Code::internal);
  EXPECT_EQ(pull_group(ann, 0).error().code, Code::internal);
}

TEST_F(GroupShardTest, WhatBlocksWasSetIsAnsweredAndSilencesTheOther) {
  run(create(ann, bob));
  auto block = in_group(ann, model::SetBlock{bob, true});
  block.conversation = model::self_conversation(ann);
  EXPECT_FALSE(run(std::move(block)).error);
  flush_all();
  EXPECT_EQ(run(send(bob, ann, 7000)).error, Code::forbidden);
  up(ports::AskBlocks{9, ann});
  settle();
  EXPECT_EQ(*a.take<ports::BlocksOut>().at(0).users, (std::vector<UserId>{bob}));
}

TEST_F(GroupShardTest, RepeatsFindTheirEntriesInBlocksAfterARestart) {
  make_group({bob});
  std::vector<model::Command> sent;
  std::vector<uint64_t> seqs;
  for (int i = 0; i < 60; ++i) {
    sent.push_back(in_group(ann, model::SendMessage{{model::MessageKind::text, std::to_string(i)}, {}}));
    seqs.push_back(run(sent.back()).seq.value);
  }
  flush_all();
  restart();
  for (size_t i = 0; i < sent.size(); ++i) {
    const auto again = run(sent[i]);
    EXPECT_TRUE(again.duplicate);
    EXPECT_EQ(again.seq.value, seqs[i]);
  }
}

TEST_F(GroupShardTest, WhoHearsALargeGroupIsNewWithEachChange) {
  std::vector<UserId> others{bob};
  for (uint64_t i = 0; i < 60; ++i) others.push_back({1000 + i});
  make_group(others);
  settle();
  const auto heard = [&](Gateway& gateway) {
    std::vector<std::vector<UserId>> all;
    for (auto& event : gateway.take<ports::EventOut>()) all.push_back(std::move(event.people));
    return all;
  };
  using All = std::vector<std::vector<UserId>>;
  up(ports::Attach{ann});
  up(ports::Attach{bob}, gateway_b);
  heard(a), heard(b);
  say(ann), say(ann);
  EXPECT_EQ(heard(a), (All{{ann}, {ann}}));
  EXPECT_EQ(heard(b), (All{{bob}, {bob}}));
  up(ports::Attach{bob});  // here, too
  say(ann);
  EXPECT_EQ(heard(a), (All{{ann, bob}}));
  EXPECT_EQ(heard(b), (All{{bob}}));
  run(in_group(ann, model::RemoveMember{bob}));
  EXPECT_EQ(heard(a), (All{{ann, bob}})) << "of the end itself";
  heard(b);
  say(ann), say(ann);
  EXPECT_EQ(heard(a), (All{{ann}, {ann}}));
  EXPECT_EQ(heard(b), All{});
  run(in_group(ann, model::AddMembers{{bob}}));
  heard(a), heard(b);
  say(ann);
  EXPECT_EQ(heard(a), (All{{ann, bob}}));
  EXPECT_EQ(heard(b), (All{{bob}}));
  shard->on_unlink(gateway_b);
  say(ann);
  EXPECT_EQ(heard(a), (All{{ann, bob}}));
  EXPECT_EQ(heard(b), All{});
  up(ports::Detach{bob});
  say(ann);
  EXPECT_EQ(heard(a), (All{{ann}}));
}

}  // namespace
}  // namespace tidings::delivery
