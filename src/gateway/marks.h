// The delivered marks that acks allow, on their way to the core: for each person and conversation the first
// at once, then one a Limits::mark_interval, the newest only. One stays here until the core has answered it,
// and is tried again while links or the core are busy: an ack is not repeated. At most
// Limits::marks_waiting_max (person, conversation) at a time; beyond it the clients' own marks must tell.
//
// A mark is a maximum, so that one too many changes nothing. One executor.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "model/ids.h"
#include "ports/clock.h"
#include "wire/codes.h"

namespace tidings::gateway {

// Whose mark, and where.
struct MarkKey {
  model::UserId user;
  model::ConversationId conversation;
  friend bool operator==(const MarkKey&, const MarkKey&) = default;
};
struct MarkKeyHash {
  size_t operator()(const MarkKey& key) const noexcept {
    return std::hash<model::UserId>()(key.user) ^ std::hash<model::ConversationId>()(key.conversation);
  }
};

class Marks {
 public:
  struct Parts {
    base::Executor& executor;
    ports::Clock& clock;
    const base::Limits& limits;
    base::Gauge& waiting;
    base::Counter& dropped;
    // Gives a mark to the core, which answers it by answered(); false: the link is full, nothing was taken.
    std::function<bool(const MarkKey&, model::Seq)> hand_over;
  };
  explicit Marks(Parts parts) : parts_(std::move(parts)) {}
  ~Marks();

  // The person's devices hold everything there up to `seq`.
  void delivered(const MarkKey& key, model::Seq seq);
  // The answer of the core: busy and the like are tried again, any other refusal is final.
  void answered(const MarkKey& key, std::optional<wire::Code> error);
  // The answers of what is under way will not come any more.
  void lost();

  size_t size() const { return marks_.size(); }

 private:
  struct Mark {
    model::Seq wanted, asked, done;
    bool in_flight = false;
    bool rests = false;  // stands in resting_
  };

  void go_on(const MarkKey& key, Mark& mark);
  void rest(const MarkKey& key, Mark& mark);
  void on_timer();

  Parts parts_;
  std::unordered_map<MarkKey, Mark, MarkKeyHash> marks_;
  std::deque<std::pair<base::MonotonicTime, MarkKey>> resting_;  // by time, all pauses being equal
  base::TimerId timer_ = 0;
};

}  // namespace tidings::gateway
