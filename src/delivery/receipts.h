// Tells people that marks have moved: the first time at once, then at most once a Limits::receipt_interval
// and conversation with all that moved meanwhile (protocol.md §8). Up to listed_marks_max members everybody
// is told who moved; above, authors who look at the conversation are told how many, and movers' own devices
// of their own.
#pragma once

#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/limits.h"
#include "delivery/conversations.h"
#include "delivery/registry.h"

namespace tidings::delivery {

class Receipts {
 public:
  Receipts(base::Executor& executor, const base::Limits& limits, Conversations& conversations,
           Registry& registry)
      : executor_(executor), limits_(limits), conversations_(conversations), registry_(registry) {}
  ~Receipts() { executor_.cancel(timer_); }

  // The conversation stays in memory until it was told.
  void moved(Conversation& conversation, const fold::Moved& moved);
  // Sessions of the person at that gateway that look at the conversation: one more or one less.
  void focus(uint64_t gateway, const ports::Focus& focus);
  // The gateway is gone, and its sessions with it.
  void unfocus(uint64_t gateway);

 private:
  using Movers = std::map<model::UserId, bool>;  // → whether all that moved is hidden from others
  void tell(const fold::ConversationState& state, const model::ConversationId& id, const Movers& movers);
  void tell_all(const fold::ConversationState& state, const model::ConversationId& id, const Movers& movers);
  void tell_authors(const fold::ConversationState& state, const model::ConversationId& id,
                    const Movers& movers);
  void tell_own(const fold::ConversationState& state, const model::ConversationId& id, const fold::Member& m);
  void arm();
  void on_timer();

  base::Executor& executor_;
  const base::Limits& limits_;
  Conversations& conversations_;
  Registry& registry_;
  // Told less than an interval ago, and who moved since. All fall due together, twice an interval.
  std::unordered_map<model::ConversationId, Movers> resting_, due_;
  base::TimerId timer_ = 0;
  // Per person and gateway, how many sessions look at it.
  using Focused = std::map<std::pair<model::UserId, uint64_t>, uint32_t>;
  std::unordered_map<model::ConversationId, Focused> focus_;
};

}  // namespace tidings::delivery
