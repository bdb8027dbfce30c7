// Pages: what lies after a cursor, and what lies around a place.
#include <algorithm>

#include "base/log_line.h"
#include "base/seed_bug.h"
#include "delivery/queries.h"
#include "wire/frames.h"

namespace tidings::delivery {

using model::HoleReason;
using model::Seq;
using wire::Code;

namespace {

bool may_read(const fold::Member& m, Seq seq) {
  return m.may_read(seq) ||
         (TIDINGS_SEED_BUG(19) && !m.intervals.empty() && seq >= m.intervals.front().since);
}

// What a client says that it holds it was sent once. If it may not be read, that was before a restore; but
// the oldest interval may have been forgotten since.
bool was_never_sent(const fold::Member& m, Seq seq) {
  const bool forgotten = m.intervals.size() == fold::intervals_max && seq < m.intervals.front().since;
  return !m.may_read(seq) && !forgotten;
}

// Appends the hole from..to, or makes the last one longer.
void add_hole(std::vector<model::Hole>& holes, Seq from, Seq to, HoleReason why) {
  if (from > to) return;
  if (!holes.empty() && holes.back().why == why && holes.back().to.value + 1 == from.value) {
    holes.back().to = to;
  } else {
    holes.push_back({from, to, why});
  }
}

// What nobody has an event for: not readable by this person, or lost.
void cover(std::vector<model::Hole>& holes, const fold::Member& m, Seq from, Seq to) {
  while (from <= to) {
    const auto readable = m.readable_from(from);
    if (!readable || *readable > to) return add_hole(holes, from, to, HoleReason::not_member);
    if (*readable > from) add_hole(holes, from, {readable->value - 1}, HoleReason::not_member);
    Seq end = *readable;
    while (end < to && m.may_read({end.value + 1})) ++end.value;
    add_hole(holes, *readable, end, HoleReason::unreadable);
    from = {end.value + 1};
  }
}

Seq first_of_tail(const Conversation& c) {
  return c.tail.empty() ? Seq{c.state.seq.value + 1} : c.tail.front().seq;
}

}  // namespace

// --- pull

void Queries::pull(uint64_t gateway, ports::Pull query) {
  const auto id = query.conversation;
  const uint64_t number = query.query;
  const bool taken = with(id, [this, gateway, query](Conversation& c) { pull_loaded(gateway, query, c); });
  if (!taken) refuse_page(gateway, number, Code::busy);
}

void Queries::pull_loaded(uint64_t gateway, const ports::Pull& query, Conversation& c) {
  if (const auto refused = refusal(c, query.user, false)) return refuse_page(gateway, query.query, *refused);
  const auto& s = c.state;
  const fold::Member& m = *s.member(query.user);
  const Seq head = m.last_readable(s.seq);
  const bool checks = query.check && query.check->seq.value > 0;
  if (query.after > head ||
      (checks && (query.check->seq > query.after || was_never_sent(m, query.check->seq))))
    return refuse_page(gateway, query.query, Code::diverged);

  const auto answer = [this, gateway, query](const Conversation& now, const Range& stored) {
    if (const auto refused = refusal(now, query.user, false))
      return refuse_page(gateway, query.query, *refused);
    const fold::Member& member = *now.state.member(query.user);
    ports::Page page;
    page.conversation = query.conversation;
    page.head = member.last_readable(now.state.seq);
    fill_upwards(page, now, member, stored, query.after, query.limit);
    page.more = page.upto < page.head;
    page.asof = page.upto;
    add_marks(page, now, member);
    parts_.registry.send(gateway, ports::PageOut{query.query, std::move(page)});
  };
  const auto read = [this, gateway, query, answer](const Conversation& at) {
    const Seq first = at.state.member(query.user)->readable_from({query.after.value + 1}).value_or(Seq{0});
    // Everything below the tail is committed, everything in it is here.
    if (first.value == 0 || first >= first_of_tail(at)) return answer(at, {});
    if (!take_slot()) return refuse_page(gateway, query.query, Code::busy);
    parts_.readers.post([this, gateway, query, answer, first, id = at.id] {
      auto stored = read_after(id, {first.value - 1});
      parts_.executor.post([this, gateway, query, answer, id, stored = std::move(stored)]() mutable {
        --under_way_;
        if (!stored) {
          base::log_error("messages could not be read: {}", stored.error().sentence);
          return refuse_page(gateway, query.query, Code::internal);
        }
        const bool taken =
            with(id, [answer, stored = std::move(*stored)](Conversation& now) { answer(now, stored); });
        if (!taken) refuse_page(gateway, query.query, Code::busy);
      });
    });
  };
  if (!checks) return read(c);
  compare(c, *query.check, [this, gateway, query, read, id = c.id](wire::Answer<bool> there) {
    if (!there) return refuse_page(gateway, query.query, there.error().code);
    if (!*there) return refuse_page(gateway, query.query, Code::diverged);
    const bool taken = with(id, [this, gateway, query, read](Conversation& now) {
      const auto refused = refusal(now, query.user, false);
      refused ? refuse_page(gateway, query.query, *refused) : read(now);
    });
    if (!taken) refuse_page(gateway, query.query, Code::busy);
  });
}

void Queries::fill_upwards(ports::Page& page, const Conversation& c, const fold::Member& m,
                           const Range& stored, Seq after, size_t limit) const {
  limit = std::min(limit, parts_.limits.page_events_max);
  page.from = {after.value + 1};
  page.upto = after;
  // What lies between here and the next readable seq needs no reading.
  const auto skip = [&] {
    const auto next = m.readable_from({page.upto.value + 1});
    const Seq end = next ? std::min(Seq{next->value - 1}, page.head) : page.head;
    if (TIDINGS_SEED_BUG(19) || end <= page.upto) return;
    add_hole(page.holes, {page.upto.value + 1}, end, HoleReason::not_member);
    page.upto = end;
  };
  size_t bytes = 0, count = 0;
  bool full = false;
  const auto take = [&](const model::Event& e) {
    if (e.seq <= page.upto || e.seq > page.head || full) return;
    const bool readable = may_read(m, e.seq);
    std::string frame = readable ? wire::encode_event(e) : std::string();
    full = readable && (count >= limit || (count > 0 && bytes + frame.size() > parts_.limits.page_bytes_max));
    if (full) return;
    // What the store lost or cannot show is named, so that no cursor waits for it for ever.
    cover(page.holes, m, {page.upto.value + 1}, {e.seq.value - 1});
    page.upto = e.seq;
    if (!readable) return add_hole(page.holes, e.seq, e.seq, HoleReason::not_member);
    bytes += frame.size();
    ++count;
    page.events.push_back(std::move(frame));
    skip();
  };
  skip();
  for (const auto& e : stored.events) take(e);
  if (!full && stored.upto > page.upto && stored.from.value <= page.upto.value + 1) {
    // The rest of what was read has no event that can be decoded.
    const Seq end = std::min(stored.upto, page.head);
    cover(page.holes, m, {page.upto.value + 1}, end);
    page.upto = std::max(page.upto, end);
    skip();
  }
  // The tail may have moved on since the store was read: what lies between is left to the next pull.
  if (page.upto.value + 1 < first_of_tail(c).value) {
    // Nothing was readable, though it should be there: the store has no row of it.
    if (!full && stored.was_committed && stored.upto.value == 0 && stored.events.empty() &&
        page.upto < page.head && count == 0) {
      const Seq end = std::min(Seq{first_of_tail(c).value - 1}, page.head);
      cover(page.holes, m, {page.upto.value + 1}, end);
      page.upto = end;
    } else {
      return;
    }
  }
  for (const auto& e : c.tail) take(e);
}

void Queries::add_marks(ports::Page& page, const Conversation& c, const fold::Member& m) const {
  if (!m.is_member()) return;
  page.marks = fold::marks_for(c.state, m.user);
  page.mark_count = c.state.marks + m.hidden_marks;
  page.counts = fold::Counts(c.state).of(m.user);
  page.members = c.state.member_count;
}

// --- history

void Queries::history(uint64_t gateway, const ports::History& query) {
  const bool taken = with(query.conversation,
                          [this, gateway, query](Conversation& c) { history_loaded(gateway, query, c); });
  if (!taken) refuse_page(gateway, query.query, Code::busy);
}

void Queries::history_loaded(uint64_t gateway, const ports::History& query, Conversation& c) {
  if (const auto refused = refusal(c, query.user, false)) return refuse_page(gateway, query.query, *refused);
  if (!query.have || query.have->seq.value == 0) return history_compared(gateway, query, c);
  if (was_never_sent(*c.state.member(query.user), query.have->seq))
    return refuse_page(gateway, query.query, Code::diverged);
  compare(c, *query.have, [this, gateway, query](wire::Answer<bool> there) {
    if (!there) return refuse_page(gateway, query.query, there.error().code);
    if (!*there) return refuse_page(gateway, query.query, Code::diverged);
    const bool taken = with(query.conversation, [this, gateway, query](Conversation& now) {
      const auto refused = refusal(now, query.user, false);
      refused ? refuse_page(gateway, query.query, *refused) : history_compared(gateway, query, now);
    });
    if (!taken) refuse_page(gateway, query.query, Code::busy);
  });
}

void Queries::history_compared(uint64_t gateway, const ports::History& query, Conversation& c) {
  using Where = ports::History::Where;
  const fold::Member& m = *c.state.member(query.user);
  const Seq head = m.last_readable(c.state.seq);
  // Downwards from `upto`, and upwards after it.
  const Seq upto = query.where == Where::before
                       ? Seq{std::min(std::max<uint64_t>(query.seq.value, 1) - 1, head.value)}
                       : std::min(query.seq, head);
  const bool down = query.where != Where::after, up = query.where != Where::before;
  const Seq below = down ? m.readable_upto(upto).value_or(Seq{0}) : Seq{0};
  Seq above = up ? m.readable_from({upto.value + 1}).value_or(Seq{0}) : Seq{0};
  if (above >= first_of_tail(c)) above = {0};  // in memory
  if (!take_slot()) return refuse_page(gateway, query.query, Code::busy);
  parts_.readers.post([this, gateway, query, below, above, upto, down, up] {
    const auto& id = query.conversation;
    base::Result<Range> before = below.value ? read_before(id, {below.value + 1}) : Range{};
    base::Result<Range> after = above.value ? read_after(id, {above.value - 1}) : Range{};
    parts_.executor.post([this, gateway, query, upto, down, up, before = std::move(before),
                          after = std::move(after)]() mutable {
      --under_way_;
      if (!before || !after) {
        base::log_error("messages could not be read: {}", (before ? after : before).error().sentence);
        return refuse_page(gateway, query.query, Code::internal);
      }
      const bool taken =
          with(query.conversation, [this, gateway, query, upto, down, up, before = std::move(*before),
                                    after = std::move(*after)](Conversation& now) {
            if (const auto refused = refusal(now, query.user, false))
              return refuse_page(gateway, query.query, *refused);
            const fold::Member& member = *now.state.member(query.user);
            const size_t limit = std::min(query.limit, parts_.limits.page_events_max);
            const size_t half = down && up ? (limit + 1) / 2 : limit;
            ports::Page page;
            page.conversation = query.conversation;
            page.head = member.last_readable(now.state.seq);
            page.from = {upto.value + 1};
            page.upto = upto;
            if (down) fill_downwards(page, now, member, before, upto, half);
            if (up) {
              ports::Page upper;
              upper.head = page.head;
              fill_upwards(upper, now, member, after, upto, limit - std::min(page.events.size(), limit));
              std::ranges::move(upper.events, std::back_inserter(page.events));
              page.holes.insert(page.holes.end(), upper.holes.begin(), upper.holes.end());
              page.upto = upper.upto;
            }
            page.more = page.upto < page.head;
            page.earlier = page.from.value > 1 && member.readable_upto({page.from.value - 1}).has_value();
            page.asof = page.head;
            add_marks(page, now, member);
            parts_.registry.send(gateway, ports::PageOut{query.query, std::move(page)});
          });
      if (!taken) refuse_page(gateway, query.query, Code::busy);
    });
  });
}

void Queries::fill_downwards(ports::Page& page, const Conversation& c, const fold::Member& m,
                             const Range& stored, Seq upto, size_t limit) const {
  std::vector<std::string> events;
  std::vector<model::Hole> holes;  // both the newest first
  const auto hole = [&](Seq from, Seq to, HoleReason why) {
    if (!holes.empty() && holes.back().why == why && holes.back().from.value == to.value + 1) {
      holes.back().from = from;
    } else {
      holes.push_back({from, to, why});
    }
  };
  const auto event_at = [&](Seq seq) -> const model::Event* {
    if (seq >= first_of_tail(c)) return &c.tail[seq.value - c.tail.front().seq.value];
    const auto it = std::ranges::lower_bound(stored.events, seq, {}, &model::Event::seq);
    return it != stored.events.end() && it->seq == seq ? &*it : nullptr;
  };
  Seq at = upto;
  size_t bytes = 0;
  while (at.value > 0 && events.size() < limit) {
    const auto readable = m.readable_upto(at);
    if (!readable) {
      hole({1}, at, HoleReason::not_member);
      at = {0};
    } else if (*readable < at) {
      hole({readable->value + 1}, at, HoleReason::not_member);
      at = *readable;
    } else if (const auto* e = event_at(at)) {
      std::string frame = wire::encode_event(*e);
      if (!events.empty() && bytes + frame.size() > parts_.limits.page_bytes_max) break;
      bytes += frame.size();
      events.push_back(std::move(frame));
      --at.value;
    } else if (stored.has(at)) {
      hole(at, at, HoleReason::unreadable);
      --at.value;
    } else {
      break;  // was not read; the asker comes again
    }
  }
  page.from = {at.value + 1};
  page.events.insert(page.events.end(), std::move_iterator(events.rbegin()),
                     std::move_iterator(events.rend()));
  page.holes.insert(page.holes.end(), holes.rbegin(), holes.rend());
}

}  // namespace tidings::delivery
