#include "gateway/marks.h"

#include <algorithm>

namespace tidings::gateway {

Marks::~Marks() {
  parts_.executor.cancel(timer_);
  parts_.waiting.add(-static_cast<int64_t>(marks_.size()));
}

void Marks::delivered(const MarkKey& key, model::Seq seq) {
  auto found = marks_.find(key);
  if (found == marks_.end()) {
    if (marks_.size() >= parts_.limits.marks_waiting_max) return parts_.dropped.add();
    found = marks_.emplace(key, Mark{}).first;
    parts_.waiting.add(1);
  }
  auto& mark = found->second;
  if (seq <= mark.wanted) return;
  mark.wanted = seq;
  go_on(key, mark);
}

// Hands over what is due; forgets the mark if nothing is left of it.
void Marks::go_on(const MarkKey& key, Mark& mark) {
  if (mark.rests || mark.in_flight) return;
  if (mark.wanted <= mark.done) {
    marks_.erase(MarkKey(key));
    parts_.waiting.add(-1);
    return;
  }
  rest(key, mark);
  if (!parts_.hand_over(key, mark.wanted)) return;
  mark.asked = mark.wanted;
  mark.in_flight = true;
}

void Marks::rest(const MarkKey& key, Mark& mark) {
  if (std::exchange(mark.rests, true)) return;
  resting_.emplace_back(parts_.clock.monotonic() + parts_.limits.mark_interval, key);
  if (resting_.size() == 1)
    timer_ = parts_.executor.after(parts_.limits.mark_interval, [this] { on_timer(); });
}

void Marks::on_timer() {
  const auto now = parts_.clock.monotonic();
  // Those that rest again in here stand behind, and later.
  for (size_t left = resting_.size(); left > 0 && resting_.front().first <= now; --left) {
    const MarkKey key = resting_.front().second;
    resting_.pop_front();
    const auto found = marks_.find(key);
    if (found == marks_.end()) continue;
    found->second.rests = false;
    go_on(key, found->second);
  }
  // While one timer is set, none other is: the first to rest in here may have set it.
  parts_.executor.cancel(timer_);
  if (resting_.empty()) return;
  timer_ = parts_.executor.after(std::max(resting_.front().first - now, base::nanoseconds(0)),
                                 [this] { on_timer(); });
}

void Marks::answered(const MarkKey& key, std::optional<wire::Code> error) {
  const auto found = marks_.find(key);
  if (found == marks_.end() || !found->second.in_flight) return;
  auto& mark = found->second;
  mark.in_flight = false;
  if (error && wire::row(*error).retry == wire::Retry::as_is && *error != wire::Code::internal) {
    return rest(key, mark);
  }
  mark.done = mark.asked;
  go_on(key, mark);
}

void Marks::lost() {
  for (auto& [key, mark] : marks_) {
    if (!std::exchange(mark.in_flight, false)) continue;
    rest(key, mark);
  }
}

}  // namespace tidings::gateway
