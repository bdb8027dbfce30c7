#include <algorithm>

#include "client/cpp/backoff.h"
#include "client/cpp/timelines.h"

namespace tidings::client {

using base::MonotonicTime;

void Timelines::take_marks(Conversation& conversation, std::vector<model::Mark> marks,
                           const std::vector<model::ReadCount>& counts, uint64_t members,
                           std::optional<model::Seq> as_of, bool exact, MonotonicTime now) {
  ConversationView& view = conversation.timeline.view();
  if (conversation.marks_doubted) {
    if (!as_of) return;  // whoever doubts pulls, and the page brings all
    conversation.marks_doubted = false;
    // Not before: what this says replaces what was shown, and nothing flickers in between.
    if (!marks.empty()) conversation.timeline.doubt_marks();
  }
  // Events may have overtaken a page: who is not in the conversation any more does not come back by it.
  if (as_of && *as_of < view.have.seq) {
    std::erase_if(marks, [&view](const model::Mark& mark) {
      return std::find(view.members.begin(), view.members.end(), mark.user) == view.members.end();
    });
  }
  if (fold_marks(view, marks, counts, members)) sink_.on_marks(view.conversation);
  const auto own = std::find_if(marks.begin(), marks.end(),
                                [this](const model::Mark& mark) { return mark.user == self_; });
  if (own != marks.end() && !view.left)
    marking_.told(view.conversation, own->read, own->delivered, exact, now);
  count(conversation);
}

bool Timelines::receipt(const wire::Receipt& receipt, MonotonicTime now) {
  const auto found = conversations_.find(receipt.conversation);
  // Of one that is not known yet: the page that is pulled brings all marks.
  if (found == conversations_.end() || found->second.gone) return true;
  found->second.mark_count = std::max(found->second.mark_count, receipt.mark_count);
  take_marks(found->second, receipt.marks, receipt.counts, receipt.members, std::nullopt, false, now);
  return true;
}

bool Timelines::marked(const wire::Ok& ok, MonotonicTime now) {
  const auto conversation = marking_.accept(ok, now);
  if (!conversation) return false;
  const auto found = conversations_.find(*conversation);
  if (found != conversations_.end()) count(found->second);
  return true;
}

void Timelines::read(const model::ConversationId& id, model::Seq seq, bool hidden, MonotonicTime now) {
  const auto found = conversations_.find(id);
  if (found == conversations_.end() || found->second.gone || id == own_log_) return;
  Conversation& conversation = found->second;
  if (conversation.timeline.view().left) return;
  const auto place = conversation.timeline.at_or_below(seq);
  if (!place || !marking_.read(id, place->event, place->ord, hidden, now)) return;
  conversation.unread.read(place->event.seq, place->ord);
  count(conversation);
}

void Timelines::anchor(Conversation& conversation, const wire::SyncedConversation& row) {
  Unread& unread = conversation.unread;
  const auto& events = conversation.timeline.events();
  const auto own = std::find_if(row.marks.begin(), row.marks.end(),
                                [this](const model::Mark& mark) { return mark.user == self_; });
  unread.anchor(row.head.seq, row.ord, own == row.marks.end() ? model::Seq{} : own->read, row.read_ord,
                row.unread);
  auto event = std::partition_point(events.begin(), events.end(), [&row](const model::Event& e) {
    return e.seq <= row.head.seq && e.ord <= row.read_ord;
  });
  for (; event != events.end(); ++event) unread.apply(*event, self_);
  if (const auto wanted = marking_.wanted(row.conversation)) unread.read(wanted->event.seq, wanted->ord);
}

void Timelines::count(Conversation& conversation) {
  ConversationView& view = conversation.timeline.view();
  if (view.conversation == own_log_) return;
  Unread& unread = conversation.unread;
  const model::Seq read = view.mark_of(self_).read;
  bool unsure = false;
  if (read > unread.read_to() && read <= unread.counted_to()) {
    const auto place = conversation.timeline.at_or_below(read);
    if (read == unread.counted_to() || (place && read <= view.have.seq)) {
      unread.read(read, place ? place->ord : model::Ord{});
    } else {
      unsure = read < view.first;
    }
  }
  if (unread.unsure()) {
    if (view.first.value <= unread.read_to().value + 1 && view.have.seq >= unread.counted_to()) {
      unread.recount(conversation.timeline.events(), self_);
    } else {
      unsure = true;
    }
  }
  // While our own mark is on its way, a row would not have it in it. One that did not help is not asked for
  // again.
  const model::Seq needed = std::max(read, unread.read_to());
  if (unsure && needed > conversation.asked_for && !marking_.wanted_is_ahead(view.conversation)) {
    conversation.asked_for = needed;
    rows_.want(view.conversation);
  }
  if (view.unread == unread.count()) return;
  view.unread = unread.count();
  sink_.on_marks(view.conversation);
}

// --- history

void Timelines::history(Histories::Wish wish) {
  const Conversation* conversation = find(wish.conversation);
  if (!conversation || conversation->gone || conversation->timeline.empty())
    return answer(wish, wire::problem(wire::Code::not_found));
  if (held_.events >= held_events_max) return answer(wish, wire::problem(wire::Code::limit));
  if (!frame_of(wish)) return answer(wish, Older{0, conversation->timeline.view().earlier});
  if (!histories_.add(wish)) answer(wish, wire::problem(wire::Code::busy));
}

std::optional<wire::HistoryFrame> Timelines::frame_of(const Histories::Wish& wish) const {
  const Conversation* conversation = find(wish.conversation);
  if (!conversation || conversation->gone || conversation->timeline.empty()) return std::nullopt;
  const ConversationView& view = conversation->timeline.view();
  const auto& events = conversation->timeline.events();
  const auto above = std::lower_bound(events.begin(), events.end(), wish.before,
                                      [](const model::Event& e, model::Seq seq) { return e.seq < seq; });
  const auto held = static_cast<uint64_t>(above - events.begin());
  if (!view.earlier || view.first.value <= 1 || held >= wish.limit) return std::nullopt;
  return wire::HistoryFrame{.conversation = wish.conversation,
                            .place = wire::HistoryPlace::before,
                            .seq = view.first,
                            .have = conversation->timeline.check(),
                            .limit = std::min<uint64_t>(wish.limit - held, 200)};
}

bool Timelines::older(const Histories::Wish& wish, const wire::PageFrame& page, MonotonicTime now) {
  const auto found = conversations_.find(wish.conversation);
  if (page.conversation != wish.conversation || found == conversations_.end()) return false;
  Timeline& timeline = found->second.timeline;
  const size_t before = timeline.events().size();
  const auto outcome = timeline.history(page);
  if (outcome == Timeline::Outcome::fine) {
    answer(wish, Older{timeline.events().size() - before, timeline.view().earlier});
    take_marks(found->second, page.marks, page.counts, page.members, page.head, false, now);
  } else {
    answer(wish, wire::problem(wire::Code::diverged));
  }
  return settle(found->second, outcome, {}, now);
}

void Timelines::answer(const Histories::Wish& wish, wire::Answer<Older> answer) {
  sink_.later([done = wish.done, answer = std::move(answer)] {
    if (done) done(answer);
  });
}

void Timelines::drop_wishes(const model::ConversationId& id, wire::Code why) {
  for (const Histories::Wish& wish : histories_.drop(id)) answer(wish, wire::problem(why));
}

void Timelines::ask(std::vector<wire::ClientFrame>& frames, MonotonicTime now) {
  for (auto& frame : marking_.due(now, last_request_)) frames.emplace_back(std::move(frame));
  if (read_at_ > now) return;
  for (auto& frame : rows_.due(now, last_request_)) frames.emplace_back(std::move(frame));
  std::vector<Histories::Wish> needless;
  for (auto& frame : histories_.due(
           now, last_request_, [this](const Histories::Wish& wish) { return frame_of(wish); }, needless)) {
    frames.emplace_back(std::move(frame));
  }
  for (const Histories::Wish& wish : needless) {
    const Conversation* conversation = find(wish.conversation);
    answer(wish, Older{0, conversation && conversation->timeline.view().earlier});
  }
}

bool Timelines::whole() {
  if (!held_.dropped) return true;
  for (const auto& [id, conversation] : conversations_) {
    if (conversation.timeline.behind()) return false;
  }
  held_.dropped = false;
  return true;
}

}  // namespace tidings::client
