#include "gateway/pending.h"

namespace tidings::gateway {

void refuse(RestAsker& asker, wire::Code code) {
  std::visit([&](auto& done) { done(wire::problem(code)); }, asker.done);
}

uint64_t Pending::add(SessionAsker asker) {
  askers_.emplace(++last_, std::move(asker));
  gauge_.add(1);
  return last_;
}

uint64_t Pending::add(RestAsker asker, base::MonotonicTime deadline) {
  askers_.emplace(++last_, std::move(asker));
  deadlines_.emplace_back(deadline, last_);
  gauge_.add(1);
  return last_;
}

Asker* Pending::find(uint64_t number) {
  const auto found = askers_.find(number);
  return found == askers_.end() ? nullptr : &found->second;
}

std::optional<Asker> Pending::take(uint64_t number) {
  const auto found = askers_.find(number);
  if (found == askers_.end()) return std::nullopt;
  std::optional<Asker> asker(std::move(found->second));
  askers_.erase(found);
  gauge_.add(-1);
  return asker;
}

void Pending::forget_sessions() {
  const auto gone = std::erase_if(
      askers_, [](const auto& entry) { return std::holds_alternative<SessionAsker>(entry.second); });
  gauge_.add(-static_cast<int64_t>(gone));
}

std::vector<RestAsker> Pending::take_overdue(base::MonotonicTime now) {
  std::vector<RestAsker> overdue;
  while (!deadlines_.empty() && deadlines_.front().first <= now) {
    if (auto asker = take(deadlines_.front().second))
      overdue.push_back(std::move(std::get<RestAsker>(*asker)));
    deadlines_.pop_front();
  }
  return overdue;
}

}  // namespace tidings::gateway
