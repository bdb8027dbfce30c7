#include "fold/marks.h"

#include <algorithm>

#include "base/seed_bug.h"

namespace tidings::fold {

std::optional<Moved> move_marks(ConversationState& c, const model::Marking& marking) {
  Member* m = c.exists() ? c.member(marking.user) : nullptr;
  // A mark above the head is ignored, not capped: after a restore it would mark what nobody has seen.
  if (!m || !m->is_member() || marking.read > c.seq || marking.delivered > c.seq) return std::nullopt;
  const model::Seq delivered = std::max(marking.delivered, marking.read);
  bool moved = false;
  Moved out{m->user};
  if (TIDINGS_SEED_BUG(11) && (marking.read.value || marking.delivered.value)) {
    if (marking.read.value) m->read = m->shown_read = marking.read;
    m->delivered = std::max(delivered, m->read);
    m->unsaved = true;
    return Moved{m->user, marking.hidden};
  }
  if (marking.read > m->read) {
    m->read = marking.read;
    // Of what was evicted, all up to read_ord still counts as read, though the mark is below it.
    m->evicted = m->evicted && marking.read < c.seq && marking.read_ord < m->read_ord;
    m->read_ord = marking.read == c.seq ? c.ord : std::clamp(marking.read_ord, m->read_ord, c.ord);
    std::erase_if(m->own_after_read, [&](const auto& own) { return own.seq <= m->read; });
    moved = true;
  }
  if (!marking.hidden && marking.read > m->shown_read) {
    m->shown_read = marking.read;
    moved = out.shown_read = true;
  }
  if (delivered > m->delivered) {
    m->delivered = delivered;
    moved = out.delivered = true;
  }
  if (!moved) return std::nullopt;
  m->unsaved = true;
  out.hidden = !out.shown_read && !out.delivered;
  return out;
}

void mark_own(ConversationState& c, Member& m, bool nothing_was_unread) {
  m.unsaved = true;
  if ((nothing_was_unread && !m.evicted) || TIDINGS_SEED_BUG(12)) {
    // Who hides what was read tells it by writing no more than before.
    if (m.shown_read == m.read) m.shown_read = c.seq;
    m.read = c.seq;
    m.read_ord = c.ord;
    m.delivered = std::max(m.delivered, c.seq);
    m.own_after_read.clear();
    return;
  }
  if (m.own_after_read.size() == own_after_read_max) {
    m.read_ord = std::max(m.read_ord, m.own_after_read.front().ord);
    m.own_after_read.erase(m.own_after_read.begin());
    m.evicted = true;
  }
  m.own_after_read.push_back({c.seq, c.ord});
}

}  // namespace tidings::fold
