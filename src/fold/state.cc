#include "fold/state.h"

#include <algorithm>

namespace tidings::fold {

bool operator==(const Member& a, const Member& b) {
  return a.user == b.user && a.role == b.role && a.intervals == b.intervals && a.read == b.read &&
         a.delivered == b.delivered && a.shown_read == b.shown_read && a.read_ord == b.read_ord &&
         a.left == b.left && a.own_after_read == b.own_after_read && a.evicted == b.evicted &&
         a.own_activity == b.own_activity && a.hidden_marks == b.hidden_marks && a.blocks == b.blocks &&
         a.entries == b.entries;
}

bool operator==(const Taken& a, const Taken& b) {
  return a.source == b.source && a.position == b.position && a.kind == b.kind && a.listed == b.listed;
}

bool Member::may_read(model::Seq seq) const {
  return std::ranges::any_of(intervals, [seq](const Interval& i) { return i.has(seq); });
}

model::Seq Member::last_readable(model::Seq head) const {
  if (intervals.empty()) return {0};
  return is_member() ? head : intervals.back().until;
}

std::optional<model::Seq> Member::readable_from(model::Seq seq) const {
  for (const auto& i : intervals) {
    if (i.until.value == 0 || i.until >= seq) return std::max(i.since, seq);
  }
  return std::nullopt;
}

std::optional<model::Seq> Member::readable_upto(model::Seq seq) const {
  for (size_t i = intervals.size(); i-- > 0;) {
    const auto& interval = intervals[i];
    if (interval.since <= seq) return interval.until.value == 0 ? seq : std::min(interval.until, seq);
  }
  return std::nullopt;
}

Member* ConversationState::member(model::UserId user) {
  const auto it = std::ranges::lower_bound(members, user, {}, &Member::user);
  return it != members.end() && it->user == user ? &*it : nullptr;
}
const Member* ConversationState::member(model::UserId user) const {
  return const_cast<ConversationState*>(this)->member(user);
}

Member& ConversationState::known(model::UserId user) {
  auto it = std::ranges::lower_bound(members, user, {}, &Member::user);
  if (it == members.end() || it->user != user) {
    // What stood inside the value must be written as parts once.
    if (members.size() == members_inside_max)
      std::ranges::for_each(members, [](auto& m) { m.unsaved = true; });
    it = members.insert(it, Member{});
    it->user = user;
  }
  it->unsaved = true;
  return *it;
}

const Taken* ConversationState::taken_from(const model::ConversationId& source) const {
  const auto it = std::ranges::lower_bound(taken, source, {}, &Taken::source);
  return it != taken.end() && it->source == source ? &*it : nullptr;
}

Taken& ConversationState::take_from(const model::ConversationId& source) {
  auto it = std::ranges::lower_bound(taken, source, {}, &Taken::source);
  if (it == taken.end() || it->source != source) {
    if (taken.size() == taken_inside_max) std::ranges::for_each(taken, [](auto& t) { t.unsaved = true; });
    it = taken.insert(it, Taken{source, {}});
  }
  it->unsaved = true;
  return *it;
}

uint64_t unread(const ConversationState& c, const Member& m) {
  const model::Ord end = m.is_member() ? c.ord : m.left.ord;
  const model::Ord base = m.read_ord;
  if (end <= base) return 0;
  // They grow.
  const auto first = std::ranges::upper_bound(m.own_after_read, base, {}, &Member::OwnMessage::ord);
  const auto last = std::ranges::upper_bound(m.own_after_read, end, {}, &Member::OwnMessage::ord);
  return end.value - base.value - static_cast<uint64_t>(last - first);
}

std::vector<model::Mark> marks_for(const ConversationState& c, model::UserId viewer) {
  std::vector<model::Mark> marks;
  if (c.lists_marks()) {
    for (const auto& m : c.members) {
      if (m.user == viewer) {
        marks.push_back({m.user, m.read, m.delivered});
      } else if (m.is_member()) {
        marks.push_back({m.user, m.shown_read, m.delivered});
      }
    }
  } else if (const Member* m = c.member(viewer)) {
    marks.push_back({m->user, m->read, m->delivered});
  }
  return marks;
}

Counts::Counts(const ConversationState& c) : c_(c) {
  if (c.lists_marks() || c.partial) return;
  for (const auto& m : c.members) {
    if (!m.is_member()) continue;
    read_.push_back(m.shown_read);
    delivered_.push_back(m.delivered);
  }
  std::ranges::sort(read_);
  std::ranges::sort(delivered_);
}

std::vector<model::ReadCount> Counts::of(model::UserId viewer) const {
  const Member* author = c_.member(viewer);
  if (!author || read_.empty()) return {};
  const auto at_or_above = [](const std::vector<model::Seq>& marks, model::Seq seq) {
    return static_cast<uint64_t>(marks.end() - std::ranges::lower_bound(marks, seq));
  };
  std::vector<model::ReadCount> counts;
  const auto& newest = author->entries.newest();
  for (size_t i = newest.size() - std::min(newest.size(), entry_block_size); i < newest.size(); ++i) {
    const model::Seq seq = newest[i].entry.seq;
    counts.push_back({seq, at_or_above(read_, seq) - (author->is_member() && author->shown_read >= seq),
                      at_or_above(delivered_, seq) - (author->is_member() && author->delivered >= seq)});
  }
  return counts;
}

}  // namespace tidings::fold
