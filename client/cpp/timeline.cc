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
  if (hold || event.seq.value > view_.have.seq.value + 1) return wait(event);
  if (event.seq <= view_.have.seq) return same(event) ? Outcome::fine : Outcome::diverged;
  const Outcome outcome = apply(event, applied);
  return outcome == Outcome::fine ? drain(applied) : outcome;
}

Timeline::Outcome Timeline::release(Applied& applied) {
  return drain(applied);
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
  uint64_t covered = after.value;
  size_t next_event = 0, next_hole = 0;
  while (covered < page.upto.value) {
    if (next_event < page.events.size() && page.events[next_event].seq.value == covered + 1) {
      const model::Event& event = page.events[next_event++];
      if (event.conversation != view_.conversation) return Outcome::broken;
      covered = event.seq.value;
      if (event.seq <= view_.have.seq) {
        if (!same(event)) return Outcome::diverged;
      } else if (const Outcome outcome = apply(event, applied); outcome != Outcome::fine) {
        return outcome;
      }
    } else if (next_hole < page.holes.size() && page.holes[next_hole].from.value == covered + 1 &&
               page.holes[next_hole].to >= page.holes[next_hole].from) {
      covered = page.holes[next_hole++].to.value;
      if (covered > page.upto.value) return Outcome::broken;
      view_.have.seq = std::max(view_.have.seq, model::Seq{covered});
    } else {
      return Outcome::broken;
    }
  }
  if (next_event != page.events.size() || next_hole != page.holes.size()) return Outcome::broken;
  expect(page.head);
  return drain(applied);
}

Timeline::Outcome Timeline::compare(const model::Cursor& head) {
  if (head.seq.value == 0 || head.seq.value > seq_max) return Outcome::broken;
  const bool other = head.seq < view_.have.seq || (head.seq == newest_.seq && head.id != newest_.id);
  if (other && compares_histories()) return Outcome::diverged;
  expect(head.seq);
  return Outcome::fine;
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
  view_.have = {};
  view_.head = {};
}

void Timeline::doubt(model::UserId self) {
  for (const auto& [seq, event] : early_) keep_as_lost(event, self);
  held_.early -= early_.size();
  early_.clear();
  view_.head = view_.have.seq;
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
  expect(event.seq);
  if (const auto* created = std::get_if<model::ConversationCreated>(&event.body)) {
    view_.kind = created->kind;
    view_.members = created->members;
  }
  if (!lost_.empty()) {
    std::erase_if(lost_, [&](const OutboxMessage& lost) { return lost.client_id == event.client_id; });
  }
  events_.push_back(event);
  ++held_.events;
  if (held_.events > held_events_max && events_.size() > 1) {
    events_.pop_front();
    --held_.events;
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
  if (held_.early >= held_early_max) return Outcome::fine;  // `head` knows of it: it will be pulled
  early_.emplace(event.seq, event);
  ++held_.early;
  return Outcome::fine;
}

}  // namespace tidings::client
