#include "delivery/receipts.h"

#include <algorithm>

#include "wire/frames.h"

namespace tidings::delivery {

namespace {

ports::ReceiptOut frame_of(const model::ConversationId& id, wire::Receipt receipt, bool in_focus = false) {
  receipt.conversation = id;
  ports::ReceiptOut out;
  out.conversation = id;
  out.in_focus = in_focus;
  out.bytes = wire::encode(receipt);
  return out;
}

}  // namespace

void Receipts::moved(Conversation& c, const fold::Moved& moved) {
  for (auto* resting : {&resting_, &due_}) {
    const auto it = resting->find(c.id);
    if (it == resting->end()) continue;
    const auto [mover, added] = it->second.try_emplace(moved.user, moved.hidden);
    if (!added) mover->second = mover->second && moved.hidden;
    c.receipt_waits = true;
    return;
  }
  resting_.emplace(c.id, Movers{});
  arm();
  tell(c.state, c.id, {{moved.user, moved.hidden}});
}

void Receipts::arm() {
  if (timer_ == 0) timer_ = executor_.after(limits_.receipt_interval / 2, [this] { on_timer(); });
}

// Two generations: what has rested for a whole round is told, and rests again if there was something to tell.
void Receipts::on_timer() {
  timer_ = 0;
  auto told = std::exchange(due_, std::exchange(resting_, {}));
  for (const auto& [id, movers] : told) {
    if (movers.empty()) continue;
    resting_.emplace(id, Movers{});
    Conversation* c = conversations_.find(id);
    if (!c) continue;
    c->receipt_waits = false;
    tell(c->state, id, movers);
  }
  if (!resting_.empty() || !due_.empty()) arm();
}

void Receipts::tell(const fold::ConversationState& state, const model::ConversationId& id,
                    const Movers& movers) {
  state.lists_marks() ? tell_all(state, id, movers) : tell_authors(state, id, movers);
}

void Receipts::tell_all(const fold::ConversationState& state, const model::ConversationId& id,
                        const Movers& movers) {
  wire::Receipt shown;
  shown.mark_count = state.marks;
  std::vector<model::UserId> others;
  for (const auto& m : state.members) {
    if (!m.is_member()) continue;  // has moved, and went before it was told
    const auto mover = movers.find(m.user);
    const bool moves = mover != movers.end();
    if (moves && !mover->second) shown.marks.push_back({m.user, m.shown_read, m.delivered});
    // Who hides something is told more than the others.
    if (moves && (mover->second || m.shown_read != m.read)) {
      tell_own(state, id, m);
      if (mover->second) continue;
    }
    others.push_back(m.user);
  }
  if (shown.marks.empty()) return;
  registry_.send_receipt(others, [&] { return frame_of(id, shown); });
}

void Receipts::tell_own(const fold::ConversationState& state, const model::ConversationId& id,
                        const fold::Member& m) {
  registry_.send_receipt({m.user}, [&] {
    wire::Receipt own;
    own.mark_count = state.marks + m.hidden_marks;
    own.marks.push_back({m.user, m.read, m.delivered});
    return frame_of(id, own);
  });
}

void Receipts::tell_authors(const fold::ConversationState& state, const model::ConversationId& id,
                            const Movers& movers) {
  for (const auto& [user, hidden] : movers) {
    if (const auto* m = state.member(user); m && m->is_member()) tell_own(state, id, *m);
  }
  const auto looking = focus_.find(id);
  if (looking == focus_.end()) return;
  const fold::Counts counts(state);
  model::UserId last;
  for (const auto& [where, sessions] : looking->second) {
    const auto user = where.first;
    if (std::exchange(last, user) == user) continue;  // at several gateways
    const auto* m = state.member(user);
    if (!m || !m->is_member()) continue;  // who left may still look
    auto of_user = counts.of(user);
    if (of_user.empty()) continue;
    registry_.send_receipt({user}, [&] {
      wire::Receipt receipt;
      receipt.mark_count = state.marks;
      receipt.counts = std::move(of_user);
      receipt.members = state.member_count;
      return frame_of(id, std::move(receipt), true);
    });
  }
}

void Receipts::focus(uint64_t gateway, const ports::Focus& focus) {
  auto& people = focus_[focus.conversation];
  const std::pair where(focus.user, gateway);
  if (focus.looks) {
    ++people[where];
  } else if (const auto it = people.find(where); it != people.end() && --it->second == 0) {
    people.erase(it);
  }
  if (people.empty()) focus_.erase(focus.conversation);
}

void Receipts::unfocus(uint64_t gateway) {
  for (auto& [conversation, people] : focus_) {
    std::erase_if(people, [gateway](const auto& entry) { return entry.first.second == gateway; });
  }
  std::erase_if(focus_, [](const auto& entry) { return entry.second.empty(); });
}

}  // namespace tidings::delivery
