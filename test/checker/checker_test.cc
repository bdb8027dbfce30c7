#include "test/checker/checker.h"

#include <gtest/gtest.h>

namespace tidings::checker {
namespace {

using model::ClientId;
using model::MessageId;
using model::Seq;
using model::UserId;

constexpr UserId ann{11}, bob{22};
constexpr int64_t second_ns = 1'000'000'000;

ClientId client_id(uint8_t n) {
  ClientId id;
  id.bytes[6] = 0x70;
  id.bytes[15] = n;
  return id;
}

// A small history that is right, for each test to spoil in one place.
struct Story {
  Story() {
    conversation = model::direct_conversation(ann, bob);
    anns = history.add_device({"ann's phone", ann, true});
    bobs = history.add_device({"bob's phone", bob, true});
  }
  model::Message text(uint8_t n) { return {model::MessageKind::text, "message " + std::to_string(n)}; }
  model::Event event(uint64_t seq, uint8_t n, UserId from = ann, uint64_t id = 0) {
    model::Event e;
    e.conversation = conversation;
    e.seq = Seq{seq};
    e.id = MessageId{id ? id : seq * 1000};
    e.from = from;
    e.client_id = client_id(n);
    if (n == 0) {
      e.body = model::ConversationCreated{model::ConversationKind::direct, {ann, bob}};
    } else {
      e.body = model::MessageCreated{text(n)};
    }
    return e;
  }
  void invoke(uint8_t n, Device device = 0) {
    history.invoke(now += second_ns, device, conversation, client_id(n), text(n));
  }
  void ok(uint8_t n, uint64_t seq, Device device = 0, uint64_t id = 0) {
    history.ok(now += second_ns, device, conversation, client_id(n), Seq{seq},
               MessageId{id ? id : seq * 1000});
  }
  void show(Device device, const model::Event& e) { history.show(now += second_ns, device, e); }
  void copy(std::string holder, bool fresh, std::vector<model::Event> events) {
    Copy c{std::move(holder), fresh, bob, conversation, {}};
    for (const auto& e : events) c.events.push_back(observed(e));
    history.final_copy(std::move(c));
  }
  // Two messages of ann, seen by bob, held by a fresh device.
  void plain() {
    invoke(1);
    ok(1, 2);
    invoke(2);
    ok(2, 3);
    for (uint8_t n = 0; n <= 2; ++n) show(bobs, event(n + 1, n));
    copy("fresh", true, {event(1, 0), event(2, 1), event(3, 2)});
    copy("bob's phone", false, {event(1, 0), event(2, 1), event(3, 2)});
  }
  void expect_only(Law law) {
    const auto verdict = check(history);
    EXPECT_GT(verdict.count(law), 0u) << verdict.counts_text() << " " << verdict.first;
    EXPECT_EQ(verdict.violations(), verdict.count(law)) << verdict.counts_text() << " " << verdict.first;
    EXPECT_FALSE(verdict.first.empty());
  }

  History history;
  model::ConversationId conversation;
  Device anns = 0, bobs = 0;
  int64_t now = 0;
};

TEST(checker, finds_nothing_in_a_sound_history) {
  Story s;
  s.plain();
  const auto verdict = check(s.history);
  EXPECT_EQ(verdict.violations(), 0u) << verdict.first;
  EXPECT_EQ(verdict.acked, 2u);
}

TEST(checker, kept_a_ticked_message_is_missing_in_the_end) {
  Story s;
  s.invoke(1);
  s.ok(1, 2);
  s.copy("fresh", true, {s.event(1, 0)});
  s.expect_only(Law::kept);
}

TEST(checker, kept_a_shown_message_is_missing_in_the_end) {
  Story s;
  s.invoke(1);
  s.show(s.bobs, s.event(1, 0));
  s.show(s.bobs, s.event(2, 1));
  s.copy("fresh", true, {s.event(1, 0)});
  s.expect_only(Law::kept);
}

TEST(checker, true_something_is_stored_that_nobody_sent) {
  Story s;
  s.plain();
  s.history.final_copy({"another fresh", true, ann, model::direct_conversation(ann, UserId{33}), {}});
  Story t;
  t.copy("fresh", true, {t.event(1, 0), t.event(2, 1)});
  t.expect_only(Law::is_true);
}

TEST(checker, true_a_message_is_stored_with_other_content) {
  Story s;
  s.invoke(1);
  auto changed = s.event(2, 1);
  changed.body = model::MessageCreated{s.text(9)};
  s.copy("fresh", true, {s.event(1, 0), changed});
  s.expect_only(Law::is_true);
}

TEST(checker, true_a_finally_refused_message_is_stored) {
  Story s;
  s.invoke(1);
  s.history.fail(s.now += second_ns, s.anns, client_id(1));
  s.copy("fresh", true, {s.event(1, 0), s.event(2, 1)});
  s.expect_only(Law::is_true);
}

TEST(checker, once_a_message_is_stored_twice) {
  Story s;
  s.invoke(1);
  s.ok(1, 2);
  s.copy("fresh", true, {s.event(1, 0), s.event(2, 1), s.event(3, 1)});
  s.expect_only(Law::once);
}

TEST(checker, once_a_message_is_shown_twice) {
  Story s;
  s.plain();
  s.show(s.bobs, s.event(2, 1));
  s.expect_only(Law::once);
}

TEST(checker, once_a_restarted_device_shows_everything_anew) {
  Story s;
  s.plain();
  s.history.restart(s.now, s.bobs);
  for (uint8_t n = 0; n <= 2; ++n) s.show(s.bobs, s.event(n + 1, n));
  EXPECT_EQ(check(s.history).violations(), 0u);
}

TEST(checker, order_two_observers_disagree) {
  Story s;
  s.invoke(1);
  s.invoke(2, s.bobs);
  s.show(s.bobs, s.event(1, 0));
  s.show(s.bobs, s.event(2, 2, bob));
  s.copy("fresh", true, {s.event(1, 0), s.event(2, 1), s.event(3, 2, bob)});
  s.expect_only(Law::order);
}

TEST(checker, order_a_tick_names_another_place_than_the_copy) {
  Story s;
  s.invoke(1);
  s.ok(1, 2, s.anns, 777);
  s.copy("fresh", true, {s.event(1, 0), s.event(2, 1)});
  s.expect_only(Law::order);
}

TEST(checker, order_ticked_before_the_other_was_sent_but_behind_it) {
  Story s;
  s.invoke(1);
  s.ok(1, 3);
  s.invoke(2, s.bobs);
  s.ok(2, 2, s.bobs);
  s.copy("fresh", true, {s.event(1, 0), s.event(2, 2, bob), s.event(3, 1)});
  s.expect_only(Law::order);
}

TEST(checker, order_one_devices_sends_are_turned_round) {
  Story s;
  s.invoke(1);
  s.invoke(2);
  s.ok(1, 3);
  s.ok(2, 2);
  s.copy("fresh", true, {s.event(1, 0), s.event(2, 2), s.event(3, 1)});
  s.expect_only(Law::order);
}

TEST(checker, order_a_message_that_got_another_client_id_keeps_its_place) {
  Story s;
  s.invoke(1);
  s.invoke(2);
  s.history.fail(s.now += second_ns, s.anns, client_id(1));
  s.history.invoke(s.now += second_ns, s.anns, s.conversation, client_id(9), s.text(1));
  auto renamed = s.event(2, 9);
  renamed.body = model::MessageCreated{s.text(1)};
  s.copy("fresh", true, {s.event(1, 0), renamed, s.event(3, 2)});
  EXPECT_EQ(check(s.history).violations(), 0u) << check(s.history).first;
}

TEST(checker, once_a_message_is_stored_under_two_client_ids) {
  Story s;
  s.invoke(1);
  s.history.invoke(s.now += second_ns, s.anns, s.conversation, client_id(9), s.text(1));
  auto again = s.event(3, 9);
  again.body = model::MessageCreated{s.text(1)};
  s.copy("fresh", true, {s.event(1, 0), s.event(2, 1), again});
  s.expect_only(Law::once);
}

TEST(checker, order_ids_do_not_grow) {
  Story s;
  s.invoke(1);
  s.copy("fresh", true, {s.event(1, 0), s.event(2, 1, ann, 5)});
  s.expect_only(Law::order);
}

TEST(checker, contiguous_a_display_skips) {
  Story s;
  s.invoke(1);
  s.invoke(2);
  s.show(s.bobs, s.event(1, 0));
  s.show(s.bobs, s.event(3, 2));
  s.copy("fresh", true, {s.event(1, 0), s.event(2, 1), s.event(3, 2)});
  s.expect_only(Law::contiguous);
}

TEST(checker, contiguous_a_client_stays_behind) {
  Story s;
  s.invoke(1);
  s.show(s.bobs, s.event(1, 0));
  s.copy("fresh", true, {s.event(1, 0), s.event(2, 1)});
  s.copy("bob's phone", false, {s.event(1, 0)});
  s.expect_only(Law::contiguous);
}

TEST(checker, contiguous_a_full_pull_has_a_hole) {
  Story s;
  s.invoke(1);
  s.copy("fresh", true, {s.event(1, 0), s.event(3, 1)});
  s.expect_only(Law::contiguous);
}

TEST(checker, contiguous_a_page_covers_less_than_it_says) {
  Story s;
  s.plain();
  Page page{s.now, s.bobs, s.conversation, Seq{0}, Seq{3}, {}, {}};
  for (const uint8_t n : {uint8_t{0}, uint8_t{2}}) page.events.push_back(observed(s.event(n + 1u, n)));
  s.history.page(page);
  s.expect_only(Law::contiguous);
  page.holes.push_back({Seq{2}, Seq{2}, model::HoleReason::unreadable});
  Story t;
  t.plain();
  t.history.page(page);
  EXPECT_EQ(check(t.history).violations(), 0u);
}

// Copied aside at seq 2, used to seq 3, copied back, used to another seq 3.
struct Restored : Story {
  Restored() {
    invoke(1);
    ok(1, 2);
    history.copy_aside(now += second_ns, 1);
    invoke(2);
    ok(2, 3);
    for (uint8_t n = 0; n <= 2; ++n) show(bobs, event(n + 1, n));
    history.restore(now += second_ns, 1);
    invoke(3, bobs);
    ok(3, 3, bobs, 3333);
    final_events = {event(1, 0), event(2, 1), event(3, 3, bob, 3333)};
  }
  std::vector<model::Event> final_events;
};

TEST(checker, branch_what_a_restore_took_away_may_come_back_at_another_place) {
  Restored s;
  s.history.reset(s.now, s.bobs, s.conversation);
  s.final_events.push_back(s.event(4, 2));
  for (const auto& e : s.final_events) s.show(s.bobs, e);
  s.copy("fresh", true, s.final_events);
  s.copy("bob's phone", false, s.final_events);
  EXPECT_EQ(check(s.history).violations(), 0u) << check(s.history).first;
}

TEST(checker, branch_a_client_keeps_what_the_new_branch_lacks) {
  Restored s;
  s.final_events.push_back(s.event(4, 2));
  s.copy("fresh", true, s.final_events);
  s.expect_only(Law::branch);
}

TEST(checker, branch_a_sender_does_not_send_its_lost_message_again) {
  Restored s;
  s.history.reset(s.now, s.bobs, s.conversation);
  for (const auto& e : s.final_events) s.show(s.bobs, e);
  s.copy("fresh", true, s.final_events);
  s.expect_only(Law::branch);
}

TEST(checker, branch_a_restore_excuses_nothing_that_was_in_the_copy) {
  Restored s;
  s.history.restart(s.now, s.anns);
  s.history.reset(s.now, s.bobs, s.conversation);
  s.copy("fresh", true, {s.event(1, 0)});
  const auto verdict = check(s.history);
  EXPECT_EQ(verdict.count(Law::kept), 2u) << verdict.counts_text();  // message 1, and 3 after the restore
}

// A group of ann, to which she adds others.
struct Group : Story {
  Group() { conversation.bytes[0] = 7; }
  model::Event change(uint64_t seq, decltype(model::Event::body) body, uint64_t id = 0) {
    auto e = event(seq, 0, ann, id);
    e.body = std::move(body);
    return e;
  }
  model::Event created(model::History joiners) {
    return change(1, model::ConversationCreated{model::ConversationKind::group, {ann}, "", joiners});
  }
  void copy_of(UserId user, std::string holder, bool fresh, const std::vector<model::Event>& events) {
    Copy c{std::move(holder), fresh, user, conversation, {}};
    for (const auto& e : events) c.events.push_back(observed(e));
    history.final_copy(std::move(c));
  }
  uint64_t private_count() { return check(history).count(Law::is_private); }
};

TEST(checker, private_a_stranger_is_shown_an_event) {
  Group g;
  const auto created = g.created(model::History::all);
  g.show(g.bobs, created);
  g.copy_of(ann, "fresh", true, {created});
  EXPECT_EQ(g.private_count(), 1u);
}

TEST(checker, private_who_joined_in_a_lost_branch_could_read_there) {
  for (const bool joined : {true, false}) {
    Group g;
    const auto created = g.created(model::History::all);
    g.history.copy_aside(g.now += second_ns, 1);
    if (joined) g.show(g.anns, g.change(2, model::MembersAdded{{bob}}));
    g.show(g.bobs, created);
    g.history.restore(g.now += second_ns, 1);
    g.copy_of(ann, "fresh", true, {created});
    EXPECT_EQ(g.private_count(), joined ? 0u : 1u);
    g.now += 10 * second_ns;
    g.show(g.bobs, created);
    EXPECT_EQ(g.private_count(), joined ? 1u : 2u);
  }
}

TEST(checker, private_what_the_server_forgot_may_have_been_seen_before) {
  Group g;
  std::vector<model::Event> events{g.created(model::History::joining)};
  for (uint64_t i = 0; i < 9; ++i) {
    events.push_back(g.change(2 + 2 * i, model::MembersAdded{{bob}}));
    events.push_back(g.change(3 + 2 * i, model::MemberRemoved{bob}));
  }
  g.show(g.bobs, events[1]);
  g.copy_of(ann, "ann's fresh device", true, events);
  g.copy_of(bob, "bob's phone", false, {events[1]});
  EXPECT_EQ(g.private_count(), 0u) << check(g.history).first;
  g.copy_of(bob, "bob's fresh device", true, {events[1]});
  EXPECT_EQ(g.private_count(), 1u);
}

TEST(checker, marks_may_not_fall) {
  Story s;
  s.plain();
  s.history.receipt_seen(s.now += second_ns, 0, s.conversation, bob, Seq{2}, Seq{2});
  EXPECT_EQ(check(s.history).count(Law::marks), 0u) << check(s.history).first;
  s.history.receipt_seen(s.now += second_ns, 0, s.conversation, bob, Seq{1}, Seq{2});
  EXPECT_EQ(check(s.history).count(Law::marks), 1u);
}

TEST(checker, marks_fall_once_after_a_restore) {
  Story s;
  s.plain();
  s.history.copy_aside(s.now += second_ns, 1);
  s.history.restore(s.now += second_ns, 1);
  s.now += 60 * second_ns;
  for (const uint64_t read : {2, 1}) {
    s.history.receipt_seen(s.now += second_ns, 0, s.conversation, bob, Seq{read}, Seq{2});
  }
  EXPECT_EQ(check(s.history).count(Law::marks), 0u) << check(s.history).first;
  for (const uint64_t read : {2, 1}) {
    s.history.receipt_seen(s.now += second_ns, 0, s.conversation, bob, Seq{read}, Seq{2});
  }
  EXPECT_EQ(check(s.history).count(Law::marks), 1u);
}

TEST(checker, marks_read_is_not_above_delivered_nor_beyond_what_is_there) {
  Story s;
  s.plain();
  s.history.receipt_seen(s.now += second_ns, 0, s.conversation, bob, Seq{3}, Seq{2});
  EXPECT_EQ(check(s.history).count(Law::marks), 1u);
  s.history.receipt_seen(s.now += second_ns, 0, s.conversation, bob, Seq{3}, Seq{90});
  EXPECT_EQ(check(s.history).count(Law::marks), 2u);
}

TEST(checker, marks_delivered_is_what_a_device_of_that_person_has) {
  for (const uint64_t held : {0, 2, 3}) {
    Story s;
    s.invoke(1);
    s.ok(1, 2);
    s.invoke(2);
    s.ok(2, 3);
    s.show(s.bobs, s.event(1, 0));
    if (held != 2) s.history.hold(s.now += second_ns, s.bobs, s.conversation, Seq{3});
    if (held) s.history.hold(s.now += second_ns, s.bobs, s.conversation, Seq{2});
    s.history.receipt_seen(s.now += second_ns, s.anns, s.conversation, bob, Seq{}, Seq{3});
    for (uint8_t n = 1; n <= 2; ++n) s.show(s.bobs, s.event(n + 1, n));
    s.copy("fresh", true, {s.event(1, 0), s.event(2, 1), s.event(3, 2)});
    s.copy("bob's phone", false, {s.event(1, 0), s.event(2, 1), s.event(3, 2)});
    EXPECT_EQ(check(s.history).violations(), held == 3 ? 0u : 1u) << held << check(s.history).first;
  }
}

TEST(checker, unread_is_counted) {
  Story s;
  s.plain();
  s.history.unread_seen(1, s.conversation, 2);
  EXPECT_EQ(check(s.history).count(Law::unread), 0u) << check(s.history).first;
  s.history.unread_seen(1, s.conversation, 1);
  EXPECT_EQ(check(s.history).count(Law::unread), 1u);
}

TEST(checker, same_state_two_devices_disagree) {
  Story s;
  s.plain();
  const auto laptop = s.history.add_device({"bob's laptop", bob, true});
  const View view{.device = 1, .conversation = s.conversation, .title = {}, .member_count = 2, .unread = 2};
  s.history.final_view(view);
  s.history.final_view(
      {.device = laptop, .conversation = s.conversation, .title = {}, .member_count = 2, .unread = 2});
  EXPECT_EQ(check(s.history).count(Law::same_state), 0u) << check(s.history).first;
  s.history.blocks_seen(1, {ann});
  s.history.blocks_seen(laptop, {});
  EXPECT_EQ(check(s.history).count(Law::same_state), 1u);
}

// A mark that came too late is taken by nobody: only the device that told it goes by it.
TEST(checker, same_state_unread_of_who_left) {
  const auto breaches = [](bool marked, uint64_t unread) {
    Story s;
    s.plain();
    const auto laptop = s.history.add_device({"bob's laptop", bob, true});
    if (marked) s.history.mark(100, laptop, s.conversation, Seq{1});
    for (const auto& [device, count] : {std::pair{Device{1}, uint64_t{2}}, std::pair{laptop, unread}})
      s.history.final_view(
          {.device = device, .conversation = s.conversation, .title = {}, .left = true, .unread = count});
    return check(s.history).count(Law::same_state);
  };
  // He has not really left in this story, which is a breach of its own.
  const auto others = breaches(false, 2);
  EXPECT_EQ(breaches(true, 2), others);
  EXPECT_EQ(breaches(false, 0), others + 1);
  EXPECT_EQ(breaches(true, 0), others);
  EXPECT_EQ(breaches(true, 3), others + 1);
}

TEST(checker, same_fold_hashes_differ) {
  Story s;
  s.plain();
  s.history.fold_hash("the end", 1);
  s.history.fold_hash("a replay", 2);
  s.expect_only(Law::same_fold);
}

TEST(checker, recovers_something_never_came_to_an_end) {
  Story s;
  s.plain();
  s.history.stuck("ann's phone is still offline");
  s.expect_only(Law::recovers);
}

TEST(checker, answered_too_late_or_never) {
  Story s;
  s.plain();
  s.history.owe(s.anns, client_id(1), s.now);
  EXPECT_EQ(check(s.history).violations(), 0u);
  s.history.owe(s.anns, client_id(1), second_ns);
  s.expect_only(Law::answered);
  Story never;
  never.plain();
  never.invoke(9);
  never.history.owe(never.anns, client_id(9), never.now + second_ns);
  never.expect_only(Law::answered);
}

TEST(history, the_hash_changes_with_every_record) {
  Story a, b;
  a.plain();
  b.plain();
  EXPECT_EQ(a.history.hash(), b.history.hash());
  b.show(b.bobs, b.event(4, 2));
  EXPECT_NE(a.history.hash(), b.history.hash());
}

}  // namespace
}  // namespace tidings::checker
