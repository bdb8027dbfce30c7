#include "client/cpp/timelines.h"

#include <algorithm>

#include "base/seed_bug.h"
#include "client/cpp/backoff.h"

namespace tidings::client {

using base::MonotonicTime;

namespace {

constexpr int direct_members = 2;
constexpr size_t blocked_max = 10'000;

}  // namespace

bool Timelines::add(const model::Event& event, MonotonicTime now) {
  Conversation* conversation = find_or_add(event.conversation);
  if (!conversation) return true;
  conversation->gone = false;
  Timeline::Applied applied;
  Timeline& timeline = conversation->timeline;
  const bool waited = timeline.waits(event.seq);
  const auto outcome = timeline.add(event, syncing_ || conversation->unchecked, applied);
  if (!waited && timeline.waits(event.seq)) sink_.on_held(event);
  return settle(*conversation, outcome, applied, now);
}

bool Timelines::page(const wire::PageFrame& page, MonotonicTime now) {
  if (const auto wish = histories_.answered(page.request)) return older(*wish, page, now);
  const bool late = late_.contains(page.request);
  const auto pull = answered(page.request);
  if (!pull) return true;
  if (pull->conversation != page.conversation) return false;
  const model::Seq after = pull->after;
  Conversation& conversation = conversations_.at(page.conversation);
  // Of a pull that was asked again: good as long as nothing else has brought these events.
  if (late) {
    if (conversation.timeline.view().have.seq != after) return true;
    forget_requests(page.conversation);
  }
  if (conversation.pull != Pull::queued) conversation.pull = Pull::none;
  conversation.gone = false;
  const model::Seq had = conversation.timeline.view().have.seq;
  Timeline::Applied applied;
  const auto outcome = conversation.timeline.page(page, after, applied);
  // Of another history than the one that knew our mark, maybe, though no row said so.
  const bool exact = conversation.unchecked;
  if (outcome == Timeline::Outcome::fine) {
    conversation.unchecked = false;
    if (!page.more) conversation.listed = conversation.dirty = false;
  }
  // A history that contradicts itself would be fetched again for ever.
  if (outcome == Timeline::Outcome::diverged && after.value == 0 && conversation.recovering) return false;
  if (!settle(conversation, outcome, applied, now)) return false;
  if (outcome != Timeline::Outcome::fine) return true;
  conversation.mark_count = std::max(conversation.mark_count, page.mark_count);
  take_marks(conversation, page.marks, page.counts, page.members, page.head, exact, now);

  conversation.fruitless = conversation.timeline.view().have.seq > had ? 0 : conversation.fruitless + 1;
  if (page.more && !TIDINGS_SEED_BUG(4)) {
    if (!conversation.recovering) unsettled_.erase(page.conversation);
    want_pull(conversation, now, {});
    return true;
  }
  if (std::exchange(conversation.recovering, false)) {
    auto lost = conversation.timeline.take_lost();
    if (!lost.empty()) sink_.on_lost(page.conversation, std::move(lost));
  }
  unsettled_.erase(page.conversation);
  if (conversation.timeline.view().left || (page.more && TIDINGS_SEED_BUG(4)))
    conversation.timeline.expect_no_more();
  if (conversation.timeline.behind()) try_later(conversation, std::nullopt, now);
  return true;
}

bool Timelines::settle(Conversation& conversation, Timeline::Outcome outcome,
                       const Timeline::Applied& applied, MonotonicTime now) {
  for (const model::Event& event : applied) took(conversation, event, now);
  if (!applied.empty()) count(conversation);
  switch (outcome) {
    case Timeline::Outcome::broken:
      return false;
    case Timeline::Outcome::diverged:
      reset(conversation, now);
      return true;
    case Timeline::Outcome::fine:
      look_for_gap(conversation, now);
      return true;
  }
  return false;
}

void Timelines::took(Conversation& conversation, const model::Event& event, MonotonicTime now) {
  ConversationView& view = conversation.timeline.view();
  const bool was_left = view.left;
  fold(view, event, self_);
  // What happened between is not told by events.
  if (was_left && !view.left) rows_.want(event.conversation);
  sink_.on_event(event);
  if (event.conversation == own_log_) return took_own(event, now);
  conversation.unread.apply(event, self_);
  if (view.left) {
    // A mark that did not arrive before is refused now: the server's count is what other devices show, too.
    if (marking_.wanted_is_ahead(event.conversation)) rows_.want(event.conversation);
    marking_.forget(event.conversation);
  } else if (event.from != self_) {
    // What is being pulled ends with a page from which on the server derives it.
    const bool derived = !conversation.listed || conversation.timeline.behind();
    marking_.delivered(event.conversation, event.seq, derived, now);
  }
}

void Timelines::took_own(const model::Event& event, MonotonicTime now) {
  if (const auto* block = std::get_if<model::BlockSet>(&event.body)) {
    if (!block->blocked) {
      blocked_.erase(block->user);
    } else if (blocked_.size() < blocked_max) {
      blocked_.insert(block->user);
    }
  } else if (const auto* one = std::get_if<model::ConversationListed>(&event.body)) {
    const ConversationView* known = view(one->conversation);
    if (known ? known->left == one->listed : one->listed) look_at(one->conversation, now);
  }
}

void Timelines::expect(const model::ConversationId& id, model::Seq seq, MonotonicTime now) {
  Conversation* conversation = find_or_add(id);
  if (!conversation) return;
  conversation->timeline.expect(seq);
  if (!syncing_ && conversation->timeline.behind()) want_pull(*conversation, now, {});
}

void Timelines::look_at(const model::ConversationId& id, MonotonicTime now) {
  Conversation* conversation = find_or_add(id);
  if (!conversation) return;
  if (catch_up_ == CatchUp::newest || !conversation->timeline.empty()) {
    rows_.want(id);
  } else {
    expect(id, {1}, now);
  }
}

std::optional<model::UserId> Timelines::gone(const model::ConversationId& id) {
  const auto found = conversations_.find(id);
  if (found == conversations_.end() || found->second.gone) return std::nullopt;
  forget_gone(found->second);
  return addressee(id);
}

std::optional<model::UserId> Timelines::addressee(const model::ConversationId& id) const {
  const Conversation* conversation = find(id);
  if (!conversation || !conversation->gone) return std::nullopt;
  const ConversationView& view = conversation->timeline.view();
  if (view.kind != model::ConversationKind::direct || view.members.size() != direct_members)
    return std::nullopt;
  return view.members[0] == self_ ? view.members[1] : view.members[0];
}

void Timelines::reset(Conversation& conversation, MonotonicTime now) {
  const model::ConversationId id = conversation.timeline.view().conversation;
  forget_requests(id);
  if (conversation.pull == Pull::in_flight) conversation.pull = Pull::none;
  forget(conversation);
  // Without anything of one's own to look for, it is enough to begin at the head again.
  conversation.recovering = catch_up_ == CatchUp::everything || conversation.timeline.has_lost();
  unsettled_.insert(id);
  sink_.on_reset(id);
  // What only rows tell went with the copy, and the one that this sync has may have come already.
  if (!syncing_ || resyncing_) rows_.want(id);
  if (!syncing_) want_pull(conversation, now, {});
}

void Timelines::ended(Conversation& conversation) {
  ConversationView& view = conversation.timeline.view();
  view.left = true;
  conversation.timeline.expect_no_more();
  conversation.recovering = false;
  conversation.dirty = false;
  conversation.unchecked = false;
  unsettled_.erase(view.conversation);
  if (marking_.wanted_is_ahead(view.conversation)) rows_.want(view.conversation);
  marking_.forget(view.conversation);
  auto lost = conversation.timeline.take_lost();
  if (!lost.empty()) sink_.on_lost(view.conversation, std::move(lost));
  sink_.on_listed(view.conversation);
}

void Timelines::forget(Conversation& conversation) {
  const model::ConversationId id = conversation.timeline.view().conversation;
  conversation.timeline.forget(self_);
  conversation.unread = {};
  conversation.mark_count = 0;
  conversation.asked_for = {};
  conversation.unchecked = conversation.marks_doubted = false;
  conversation.fruitless = 0;
  marking_.forget(id);
  if (id == own_log_) blocked_.clear();
  drop_wishes(id, wire::Code::diverged);
}

void Timelines::forget_gone(Conversation& conversation) {
  const model::ConversationId id = conversation.timeline.view().conversation;
  const bool had_copy = conversation.timeline.view().have.seq.value > 0;
  forget_requests(id);
  conversation.pull = Pull::none;
  forget(conversation);
  conversation.gone = true;
  conversation.recovering = false;
  conversation.dirty = false;
  unsettled_.erase(id);
  if (had_copy) sink_.on_reset(id);
  auto lost = conversation.timeline.take_lost();
  if (!lost.empty()) sink_.on_lost(id, std::move(lost));
}

std::optional<wire::Hello::Newest> Timelines::newest() const {
  std::optional<wire::Hello::Newest> newest;
  for (const auto& [id, conversation] : conversations_) {
    const model::Cursor event = conversation.timeline.newest();
    if (event.seq.value > 0 && (!newest || event.id > newest->event.id)) newest = {id, event};
  }
  return newest;
}

const ConversationView* Timelines::view(const model::ConversationId& id) const {
  const Conversation* conversation = find(id);
  if (!conversation || conversation->gone) return nullptr;
  if (conversation->timeline.view().head.value == 0 && !conversation->recovering) return nullptr;
  return &conversation->timeline.view();
}

std::vector<ConversationView> Timelines::views() const {
  std::vector<ConversationView> out;
  for (const auto& [id, conversation] : conversations_) {
    const ConversationView* known = view(id);
    if (known && id != own_log_) out.push_back(*known);
  }
  return out;
}

std::vector<model::Event> Timelines::events(const model::ConversationId& id) const {
  const Conversation* conversation = find(id);
  if (!conversation) return {};
  const auto& events = conversation->timeline.events();
  return {events.begin(), events.end()};
}

Timelines::Conversation* Timelines::find_or_add(const model::ConversationId& id) {
  const auto found = conversations_.find(id);
  if (found != conversations_.end()) return &found->second;
  if (conversations_.size() >= conversations_max) return nullptr;
  return &conversations_.try_emplace(id, id, held_).first->second;
}

const Timelines::Conversation* Timelines::find(const model::ConversationId& id) const {
  const auto found = conversations_.find(id);
  return found == conversations_.end() ? nullptr : &found->second;
}

}  // namespace tidings::client
