#include "client/cpp/timeline.h"

#include <algorithm>

#include "base/seed_bug.h"

namespace tidings::client {

namespace {

constexpr uint64_t seq_max = (uint64_t{1} << 53) - 1;

bool compares_histories() {
  return !TIDINGS_SEED_BUG(28);
}

}  // namespace

Timeline::Timeline(const model::ConversationId& conversation, Held& held) : held_(held) {
  view_.conversation = conversation;
}

Timeline::~Timeline() {
  held_.events -= events_.size();
  held_.early -= early_.size();
}

Timeline::Outcome Timeline::add(const model::Event& event, bool hold, Applied& applied) {
  if (event.seq.value == 0 || event.seq.value > seq_max) return Outcome::broken;
  expect(event.seq);
  const bool too_early = event.seq.value > view_.have.seq.value + 1 && !TIDINGS_SEED_BUG(5);
  if (hold || too_early) return wait(event);
  if (event.seq <= view_.have.seq) return same(event) ? Outcome::fine : Outcome::diverged;
  const Outcome outcome = apply(event, applied);
  return outcome == Outcome::fine ? drain(applied) : outcome;
}

Timeline::Outcome Timeline::release(Applied& applied) {
  return drain(applied);
}

// Events and holes of a page that says what it covers.
template <class Take, class Skip>
bool Timeline::cover(const wire::PageFrame& page, uint64_t covered, Outcome& outcome, Take take, Skip skip) {
  size_t next_event = 0, next_hole = 0;
  while (covered < page.upto.value) {
    if (next_event < page.events.size() && page.events[next_event].seq.value == covered + 1) {
      const model::Event& event = page.events[next_event++];
      if (event.conversation != view_.conversation) return false;
      covered = event.seq.value;
      outcome = take(event);
      if (outcome != Outcome::fine) return true;
    } else if (next_hole < page.holes.size() && page.holes[next_hole].from.value == covered + 1 &&
               page.holes[next_hole].to >= page.holes[next_hole].from) {
      covered = page.holes[next_hole++].to.value;
      if (covered > page.upto.value) return false;
      skip(covered);
    } else {
      return false;
    }
  }
  return next_event == page.events.size() && next_hole == page.holes.size();
}

Timeline::Outcome Timeline::page(const wire::PageFrame& page, model::Seq after, Applied& applied) {
  if (page.upto < after || page.head.value > seq_max || (page.more && page.upto == after))
    return Outcome::broken;
  // Compared with what was asked for: what came live since then may be newer than the page.
  if (page.head < after) {
    if (compares_histories()) return Outcome::diverged;
  } else if (page.upto > page.head) {
    return Outcome::broken;
  }
  Outcome outcome = Outcome::fine;
  const auto take = [&](const model::Event& event) {
    if (event.seq > view_.have.seq) return apply(event, applied);
    return same(event) ? Outcome::fine : Outcome::diverged;
  };
  const auto skip = [&](uint64_t to) { view_.have.seq = std::max(view_.have.seq, model::Seq{to}); };
  if (!cover(page, after.value, outcome, take, skip)) return Outcome::broken;
  if (outcome != Outcome::fine) return outcome;
  expect(page.head);
  return drain(applied);
}

Timeline::Outcome Timeline::history(const wire::PageFrame& page) {
  if (page.from.value == 0 || page.from.value > seq_max || page.upto.value > seq_max) return Outcome::broken;
  std::vector<model::Event> older;
  Outcome outcome = Outcome::fine;
  const auto take = [&](const model::Event& event) {
    if (event.seq >= view_.first) return same(event) ? Outcome::fine : Outcome::diverged;
    if (!older.empty() && event.id <= older.back().id) return Outcome::broken;
    older.push_back(event);
    return Outcome::fine;
  };
  if (!cover(page, page.from.value - 1, outcome, take, [](uint64_t) {})) return Outcome::broken;
  if (outcome != Outcome::fine) return outcome;
  if (page.from >= view_.first) {
    view_.earlier = page.earlier && page.from == view_.first;
    return Outcome::fine;
  }
  if (page.upto.value + 1 < view_.first.value) return Outcome::broken;
  if (!older.empty() && !events_.empty() && older.back().id >= events_.front().id) return Outcome::diverged;
  view_.first = page.from;
  view_.earlier = page.earlier;
  held_.events += older.size();
  events_.insert(events_.begin(), std::make_move_iterator(older.begin()),
                 std::make_move_iterator(older.end()));
  return Outcome::fine;
}

Timeline::Outcome Timeline::compare(const model::Cursor& head) {
  if (head.seq.value == 0 || head.seq.value > seq_max) return Outcome::broken;
  const bool other = head.seq < view_.have.seq || (head.seq == newest_.seq && head.id != newest_.id);
  if (other && compares_histories()) return Outcome::diverged;
  expect(head.seq);
  return Outcome::fine;
}

void Timeline::start_at(const model::Cursor& place, model::Ord ord) {
  view_.have = newest_ = place;
  newest_ord_ = ord;
  if (!early_.empty() && early_.begin()->first <= place.seq) {
    view_.have = {{early_.begin()->first.value - 1}, {}};
    newest_ = {};
    newest_ord_ = {};
  }
  view_.first = {view_.have.seq.value + 1};
  view_.earlier = view_.have.seq.value > 0;
  expect(place.seq);
}

void Timeline::expect_no_more() {
  held_.early -= early_.size();
  early_.clear();
  view_.head = view_.have.seq;
}

std::optional<Timeline::Place> Timeline::at_or_below(model::Seq seq) const {
  if (newest_.seq.value > 0 && newest_.seq <= seq) return Place{newest_, newest_ord_};
  const auto above = std::upper_bound(events_.begin(), events_.end(), seq,
                                      [](model::Seq s, const model::Event& e) { return s < e.seq; });
  if (above == events_.begin()) return std::nullopt;
  const model::Event& event = *std::prev(above);
  return Place{{event.seq, event.id}, event.ord};
}

std::optional<model::Cursor> Timeline::check() const {
  if (newest_.seq.value == 0 || !compares_histories()) return std::nullopt;
  return newest_;
}

model::Cursor Timeline::newest() const {
  if (early_.empty()) return newest_;
  const model::Event& last = early_.rbegin()->second;
  return last.id > newest_.id ? model::Cursor{last.seq, last.id} : newest_;
}

void Timeline::forget(model::UserId self) {
  for (const model::Event& event : events_) keep_as_lost(event, self);
  doubt(self);
  held_.events -= events_.size();
  events_.clear();
  newest_ = {};
  newest_ord_ = {};
  view_.have = {};
  view_.head = {};
  view_.first = {1};
  view_.earlier = false;
  view_.unread = 0;
  view_.marks.clear();
  view_.counts.clear();
  view_.since.clear();
  view_.told_to = {};
  view_.left = false;
}

void Timeline::doubt(model::UserId self) {
  for (const auto& [seq, event] : early_) keep_as_lost(event, self);
  held_.early -= early_.size();
  early_.clear();
  view_.head = view_.have.seq;
  view_.told_to = std::min(view_.told_to, view_.have.seq);
}

void Timeline::doubt_marks() {
  const model::Seq have = view_.have.seq;
  for (model::Mark& mark : view_.marks) {
    mark.read = std::min(mark.read, have);
    mark.delivered = std::min(mark.delivered, have);
  }
  std::erase_if(view_.counts, [have](const model::ReadCount& count) { return count.seq > have; });
}

void Timeline::keep_as_lost(const model::Event& event, model::UserId self) {
  const auto* message = std::get_if<model::MessageCreated>(&event.body);
  if (!message || event.from != self) return;
  const auto known = [&](const OutboxMessage& lost) { return lost.client_id == event.client_id; };
  if (std::any_of(lost_.begin(), lost_.end(), known)) return;
  lost_.push_back(
      {.client_id = event.client_id, .conversation = view_.conversation, .message = message->message});
}

std::vector<OutboxMessage> Timeline::take_lost() {
  return std::exchange(lost_, {});
}

bool Timeline::same(const model::Event& event) const {
  if (!compares_histories()) return true;
  if (event.seq == newest_.seq) return event.id == newest_.id;
  const auto held = std::lower_bound(events_.begin(), events_.end(), event.seq,
                                     [](const model::Event& e, model::Seq seq) { return e.seq < seq; });
  // What was dropped for room, or was a hole, cannot be compared any more.
  return held == events_.end() || held->seq != event.seq || held->id == event.id;
}

Timeline::Outcome Timeline::apply(const model::Event& event, Applied& applied) {
  // Ids grow with seq, so a smaller one was given in another history.
  if (event.id <= newest_.id && compares_histories()) return Outcome::diverged;
  view_.have = {event.seq, event.id};
  newest_ = view_.have;
  newest_ord_ = event.ord;
  expect(event.seq);
  if (!lost_.empty()) {
    std::erase_if(lost_, [&](const OutboxMessage& lost) { return lost.client_id == event.client_id; });
  }
  events_.push_back(event);
  ++held_.events;
  if (held_.events > held_events_max && events_.size() > 1) {
    events_.pop_front();
    --held_.events;
    view_.first = events_.front().seq;
    view_.earlier = true;
  }
  applied.push_back(event);
  return Outcome::fine;
}

Timeline::Outcome Timeline::drain(Applied& applied) {
  while (!early_.empty() && early_.begin()->first.value <= view_.have.seq.value + 1) {
    const auto first = early_.extract(early_.begin());
    --held_.early;
    const model::Event& event = first.mapped();
    if (event.seq <= view_.have.seq) {
      if (!same(event)) return Outcome::diverged;
    } else if (const Outcome outcome = apply(event, applied); outcome != Outcome::fine) {
      return outcome;
    }
  }
  return Outcome::fine;
}

Timeline::Outcome Timeline::wait(const model::Event& event) {
  const auto waits = early_.find(event.seq);
  if (waits != early_.end()) {
    return waits->second.id == event.id || !compares_histories() ? Outcome::fine : Outcome::diverged;
  }
  if (held_.early >= held_early_max) {
    held_.dropped = true;  // `head` knows of it: it will be pulled
    return Outcome::fine;
  }
  early_.emplace(event.seq, event);
  ++held_.early;
  return Outcome::fine;
}

}  // namespace tidings::client
