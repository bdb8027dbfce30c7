#include "fold/fold.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "fold/marks.h"

namespace tidings::fold {
namespace {

using base::WallTime;
using model::ClientId;
using model::Command;
using model::Position;
using model::UserId;
using wire::Code;

constexpr UserId ann{11}, bob{22}, eve{33};
const WallTime t0 = base::wall_from_ms(1'795'300'000'000);

ClientId v7(WallTime time, uint64_t n = 0) {
  return {model::uuid_v7(time, 0, n)};
}
ClientId v4(uint64_t n) {
  ClientId id{model::uuid_v7(t0, n, n * 7919)};
  id.bytes[6] = 0x40;
  return id;
}

// One conversation between Ann and Bob, fed record by record; keeps the rows that left the state, as the
// store would.
struct Talk {
  ConversationState state;
  std::vector<std::pair<UserId, KeyedEntry>> rows;
  Position position{100};
  WallTime now = t0;

  Command command(UserId from, ClientId id) {
    Command c;
    c.user = from;
    c.conversation = model::direct_conversation(ann, bob);
    c.client_id = id;
    c.until = now + std::chrono::seconds(30);
    return c;
  }
  Command create() {
    Command c = command(ann, v7(now));
    c.body = model::CreateConversation{model::ConversationKind::direct, {ann, bob}};
    return c;
  }
  Command send(UserId from, ClientId id, std::string text = "hi", std::optional<ClientId> previous = {}) {
    Command c = command(from, id);
    c.body = model::SendMessage{{model::MessageKind::text, std::move(text)}, previous};
    return c;
  }
  std::optional<Entry> row(UserId user, const std::optional<ClientId>& id) {
    for (const auto& [who, e] : rows) {
      if (id && who == user && e.client_id == *id) return e.entry;
    }
    return std::nullopt;
  }
  Output apply(Command c) {
    const Lookups needed = lookups(state, c);
    const UserId user = c.user;
    const Found found{row(user, needed.own), row(user, needed.previous)};
    ++position.value;
    Output out =
        fold(state, {position, model::partition_of(c.conversation), now, now, 1}, std::move(c), found);
    if (out.entries.single) rows.emplace_back(user, *out.entries.single);
    for (const auto& e : out.entries.block) rows.emplace_back(user, e);
    return out;
  }
};

TEST(Fold, CreateMakesEventOneAndASecondCreateFindsIt) {
  Talk talk;
  const Output first = talk.apply(talk.create());
  ASSERT_TRUE(first.event);
  EXPECT_EQ(first.event->seq.value, 1u);
  EXPECT_EQ(first.event->ord.value, 0u);
  const Output again = talk.apply(talk.create());
  EXPECT_FALSE(again.event);
  EXPECT_FALSE(again.reply->error);
  EXPECT_FALSE(first.reply->duplicate);
  EXPECT_TRUE(again.reply->duplicate);
  EXPECT_EQ(again.reply->id, first.reply->id);
  EXPECT_EQ(again.reply->seq.value, 1u);
}

TEST(Fold, CreateIsRefusedWhenTheHashDoesNotFitTheMembers) {
  Talk talk;
  Command c = talk.create();
  std::get<model::CreateConversation>(c.body).members = {ann, eve};
  const Output out = talk.apply(std::move(c));
  EXPECT_EQ(out.reply->error, Code::bad_request);
  EXPECT_FALSE(talk.state.exists());
}

TEST(Fold, StrangerAndAbsentConversationGetTheSameAnswerAndChangeNothing) {
  Talk talk;
  EXPECT_EQ(talk.apply(talk.send(ann, v7(t0))).reply->error, Code::not_found);
  EXPECT_FALSE(talk.state.exists());
  talk.apply(talk.create());
  const ConversationState before = talk.state;
  EXPECT_EQ(talk.apply(talk.send(eve, v7(t0))).reply->error, Code::not_found);
  EXPECT_EQ(talk.state, before);
}

TEST(Fold, SeqAndIdGrowAndARepeatGetsTheFirstAnswer) {
  Talk talk;
  talk.apply(talk.create());
  const auto id = v7(t0, 1);
  const Output first = talk.apply(talk.send(ann, id));
  const Output second = talk.apply(talk.send(bob, v7(t0, 2)));
  EXPECT_EQ(first.reply->seq.value, 2u);
  EXPECT_EQ(second.reply->seq.value, 3u);
  EXPECT_LT(first.reply->id, second.reply->id);
  const Output again = talk.apply(talk.send(ann, id));
  EXPECT_TRUE(again.reply->duplicate);
  EXPECT_EQ(again.reply->seq, first.reply->seq);
  EXPECT_EQ(again.reply->ord, first.reply->ord);
  EXPECT_EQ(again.reply->id, first.reply->id);
  EXPECT_EQ(again.reply->time, first.reply->time);
  EXPECT_FALSE(again.event);
  EXPECT_EQ(talk.apply(talk.send(ann, id, "something else")).reply->error, Code::client_id_conflict);
}

// protocol.md §6: all 720 orders of three ids sent twice make no duplicate, whatever the ids' versions and
// the clocks say.
TEST(Fold, AllOrdersOfThreeIdsSentTwiceMakeThreeEvents) {
  for (int old_ids = 0; old_ids < 4; ++old_ids) {
    std::array<ClientId, 3> ids{v7(t0, 1), v7(t0, 2), v7(t0, 3)};
    if (old_ids == 1) ids = {v4(1), v4(2), v4(3)};
    if (old_ids == 2) ids = {v4(1), v7(t0, 2), v7(t0, 3)};
    if (old_ids == 3) ids = {v7(t0 - std::chrono::hours(24 * 20), 1), v7(t0, 2), v4(3)};
    std::array<int, 6> order{0, 0, 1, 1, 2, 2};
    int orders = 0;
    do {
      ++orders;
      Talk talk;
      talk.apply(talk.create());
      std::array<std::optional<model::Seq>, 3> seqs;
      for (const int i : order) {
        const Output out = talk.apply(talk.send(ann, ids[static_cast<size_t>(i)]));
        ASSERT_FALSE(out.reply->error);
        auto& seq = seqs[static_cast<size_t>(i)];
        EXPECT_EQ(out.reply->duplicate, seq.has_value());
        if (seq) {
          EXPECT_EQ(out.reply->seq, *seq);
        }
        seq = out.reply->seq;
      }
      EXPECT_EQ(talk.state.seq.value, 4u);
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_EQ(orders, 90);  // the distinct ones among 720
  }
}

TEST(Fold, EntriesThatLeftTheStateAreFoundInTheirRows) {
  Talk talk;
  talk.apply(talk.create());
  std::vector<std::pair<ClientId, model::Seq>> sent;
  for (uint64_t i = 0; i < 100; ++i) {
    const ClientId id = i % 7 == 3 ? v4(i) : v7(t0, i);
    sent.emplace_back(id, talk.apply(talk.send(ann, id)).reply->seq);
  }
  EXPECT_LE(talk.state.member(ann)->entries.newest().size(), newest_entries_max);
  std::shuffle(sent.begin(), sent.end(), std::mt19937(7));
  const model::Seq head = talk.state.seq;
  for (const auto& [id, seq] : sent) {
    const Output out = talk.apply(talk.send(ann, id));
    EXPECT_TRUE(out.reply->duplicate);
    EXPECT_EQ(out.reply->seq, seq);
  }
  EXPECT_EQ(talk.state.seq, head);
}

TEST(Fold, AVersionFourIdNeverMovesHighest) {
  Talk talk;
  talk.apply(talk.create());
  ClientId far = v4(1);
  far.bytes[0] = 0xff;
  talk.apply(talk.send(ann, far));
  EXPECT_TRUE(lookups(talk.state, talk.send(ann, v7(t0))).none());
}

TEST(Fold, UntilPassedIsBusyAndChangesNoSeq) {
  Talk talk;
  talk.apply(talk.create());
  Command c = talk.send(ann, v7(t0));
  talk.now += std::chrono::seconds(31);
  EXPECT_EQ(talk.apply(std::move(c)).reply->error, Code::busy);
  EXPECT_EQ(talk.state.seq.value, 1u);
}

TEST(Fold, ClientIdAheadAndExpired) {
  Talk talk;
  talk.apply(talk.create());
  EXPECT_EQ(talk.apply(talk.send(ann, v7(t0 + std::chrono::hours(25)))).reply->error, Code::client_id_ahead);
  // However old, an id above all that came before is new.
  EXPECT_FALSE(talk.apply(talk.send(ann, v7(t0 - std::chrono::hours(24 * 60)))).reply->error);
  EXPECT_FALSE(talk.apply(talk.send(ann, v7(t0))).reply->error);
  EXPECT_EQ(talk.apply(talk.send(ann, v7(t0 - std::chrono::hours(24 * 30)))).reply->error, Code::expired);
}

TEST(Fold, PreviousWithoutAnEntryIsAnsweredWithWhatIsMissing) {
  Talk talk;
  talk.apply(talk.create());
  const auto a = v7(t0, 1), b = v7(t0, 2);
  const Output out = talk.apply(talk.send(ann, b, "b", a));
  EXPECT_EQ(out.reply->error, Code::order);
  EXPECT_EQ(out.reply->missing, a);
  EXPECT_FALSE(talk.apply(talk.send(ann, a, "a")).reply->error);
  EXPECT_FALSE(talk.apply(talk.send(ann, b, "b", a)).reply->error);
}

TEST(Fold, PreviousIsNotPartOfTheBodyHash) {
  Talk talk;
  talk.apply(talk.create());
  const auto a = v7(t0, 1), b = v7(t0, 2);
  talk.apply(talk.send(ann, a));
  talk.apply(talk.send(ann, b, "hi", a));
  EXPECT_TRUE(talk.apply(talk.send(ann, b, "hi")).reply->duplicate);
}

// protocol.md §8: three lines typed offline must not mark six unseen messages read.
TEST(Fold, SendingMarksReadOnlyIfNothingWasUnread) {
  Talk talk;
  talk.apply(talk.create());
  talk.apply(talk.send(ann, v7(t0, 1)));
  EXPECT_EQ(talk.state.member(ann)->read.value, 2u);
  for (uint64_t i = 0; i < 6; ++i) talk.apply(talk.send(bob, v7(t0, 100 + i)));
  EXPECT_EQ(unread(talk.state, *talk.state.member(ann)), 6u);
  for (uint64_t i = 0; i < 3; ++i) talk.apply(talk.send(ann, v7(t0, 200 + i)));
  EXPECT_EQ(unread(talk.state, *talk.state.member(ann)), 6u);
  EXPECT_EQ(talk.state.member(ann)->read.value, 2u);
  EXPECT_EQ(unread(talk.state, *talk.state.member(bob)), 3u + 1u);
}

// Many own messages above six unseen ones make the count 0. A mark below the six has not seen them either.
TEST(Fold, AMarkBelowWhatWasEvictedDoesNotLetTheNextOwnMessageReadAll) {
  Talk talk;
  talk.apply(talk.create());
  talk.apply(talk.send(ann, v7(t0, 1)));
  talk.apply(talk.send(bob, v7(t0, 2)));
  for (uint64_t i = 0; i < 6; ++i) talk.apply(talk.send(bob, v7(t0, 100 + i)));
  for (uint64_t i = 0; i < own_after_read_max + 1; ++i) talk.apply(talk.send(ann, v7(t0, 200 + i)));
  ASSERT_EQ(unread(talk.state, *talk.state.member(ann)), 0u);
  model::Marking mark;
  mark.user = ann;
  mark.read = {3};
  mark.read_ord = {2};
  EXPECT_TRUE(move_marks(talk.state, mark));
  talk.apply(talk.send(ann, v7(t0, 900)));
  EXPECT_EQ(talk.state.member(ann)->read.value, 3u);
  // Until all that was evicted is below the mark.
  mark.read = talk.state.seq;
  mark.read_ord = talk.state.ord;
  EXPECT_TRUE(move_marks(talk.state, mark));
  talk.apply(talk.send(ann, v7(t0, 901)));
  EXPECT_EQ(talk.state.member(ann)->read, talk.state.seq);
}

// Random traffic of both sides: unread is what a count over all events says, as long as nothing was evicted.
TEST(Fold, UnreadEqualsTheCountOverAllEvents) {
  std::mt19937 random(3);
  Talk talk;
  talk.apply(talk.create());
  std::vector<std::pair<model::Seq, UserId>> events;
  for (uint64_t i = 0; i < 120; ++i) {
    const UserId from = random() % 3 ? bob : ann;
    events.emplace_back(talk.apply(talk.send(from, v7(t0, i))).reply->seq, from);
    for (const UserId who : {ann, bob}) {
      const Member& m = *talk.state.member(who);
      if (m.evicted) continue;
      const auto count = std::count_if(events.begin(), events.end(),
                                       [&](const auto& e) { return e.first > m.read && e.second != who; });
      EXPECT_EQ(unread(talk.state, m), static_cast<uint64_t>(count));
    }
  }
}

// A crash may have taken the answer and the event after the state was written.
TEST(Fold, WhatWasAcceptedBeforeIsSaidAgainAndChangesNothing) {
  Talk talk;
  talk.apply(talk.create());
  const Command command = talk.send(ann, v7(t0), "once");
  const Output first = talk.apply(command);
  const ConversationState before = talk.state;
  --talk.position.value;
  const Output again = talk.apply(command);
  ASSERT_TRUE(again.reply && again.event);
  EXPECT_TRUE(again.repeated);
  EXPECT_FALSE(again.changed);
  EXPECT_EQ(again.reply->seq, first.reply->seq);
  EXPECT_EQ(again.event, first.event);
  EXPECT_EQ(talk.state, before);
  // One that was refused then stays silent.
  --talk.position.value;
  const Output refused = talk.apply(talk.send(ann, v7(t0, 9), "other", v7(t0, 8)));
  EXPECT_FALSE(refused.reply);
  EXPECT_FALSE(refused.event);
}

TEST(Fold, TwoFoldsOfTheSameRecordsHaveEqualStatesAndChains) {
  const auto run = [](bool reload) {
    std::mt19937 random(5);
    Talk talk;
    talk.apply(talk.create());
    for (uint64_t i = 0; i < 300; ++i) {
      const UserId from = random() % 2 ? ann : bob;
      const ClientId id = random() % 5 ? v7(t0, i) : v4(random() % 20);
      talk.now += base::milliseconds(random() % 3);
      talk.apply(talk.send(from, id, std::to_string(random() % 4)));
      if (reload && i % 10 == 0) talk.state = decode_state({encode_state(talk.state).value, {}}).value();
    }
    return talk.state;
  };
  EXPECT_EQ(run(false), run(true));
}

TEST(State, EveryCutAndChangedLengthIsAnErrorAndNoCrash) {
  Talk talk;
  talk.apply(talk.create());
  for (uint64_t i = 0; i < 20; ++i) talk.apply(talk.send(i % 3 ? ann : bob, v7(t0, i)));
  const base::Bytes bytes = encode_state(talk.state).value;
  for (size_t i = 0; i < bytes.size(); ++i) EXPECT_FALSE(decode_state({bytes.substr(0, i), {}}).ok());
  EXPECT_FALSE(decode_state({bytes + "x", {}}).ok());
  for (size_t i = 0; i < bytes.size(); ++i) {
    base::Bytes changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x80);
    (void)decode_state({changed, {}}).ok();
  }
}

}  // namespace
}  // namespace tidings::fold
