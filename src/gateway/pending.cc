#include "gateway/pending.h"

#include <algorithm>

namespace tidings::gateway {

void refuse(RestAsker& asker, const wire::Problem& problem) {
  std::visit([&](auto& done) { done(base::fail(wire::Problem(problem))); }, asker.done);
}

uint64_t Pending::add(Asker asker) {
  askers_.emplace(++last_, std::move(asker));
  gauge_.add(1);
  return last_;
}

uint64_t Pending::add(SessionAsker asker) {
  return add(Asker(std::move(asker)));
}

uint64_t Pending::add(const MarkKey& mark) {
  return add(Asker(mark));
}

uint64_t Pending::add(RestAsker asker, base::MonotonicTime deadline) {
  const uint64_t number = add(Asker(std::move(asker)));
  deadlines_.emplace_back(deadline, number);
  return number;
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

std::vector<SessionAsker> Pending::take_all_but_rest() {
  std::vector<uint64_t> numbers;
  for (const auto& [number, asker] : askers_) {
    if (!std::holds_alternative<RestAsker>(asker)) numbers.push_back(number);
  }
  std::ranges::sort(numbers);
  std::vector<SessionAsker> taken;
  for (const uint64_t number : numbers) {
    auto asker = take(number);
    if (auto* session = std::get_if<SessionAsker>(&*asker)) taken.push_back(std::move(*session));
  }
  return taken;
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
