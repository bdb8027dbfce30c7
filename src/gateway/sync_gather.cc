#include "gateway/sync_gather.h"

#include <algorithm>
#include <iterator>

namespace tidings::gateway {

bool SyncGather::add(wire::Answer<ports::SyncRows> answer) {
  if (!answer) {
    problem_ = std::move(answer.error());
  } else {
    std::ranges::move(answer->rows, std::back_inserter(all_.rows));
    if (answer->next && (!all_.next || *answer->next < *all_.next)) all_.next = answer->next;
    if (!activity_ || answer->activity < *activity_) activity_ = answer->activity;
  }
  return --awaited_ == 0;
}

wire::Answer<ports::SyncRows> SyncGather::take() {
  if (problem_) return base::fail(std::move(*problem_));
  std::ranges::sort(all_.rows, {}, &ports::SyncRow::conversation);
  if (all_.next) std::erase_if(all_.rows, [&](const auto& row) { return row.conversation >= *all_.next; });
  if (all_.rows.size() > limit_) {
    all_.next = all_.rows[limit_].conversation;
    all_.rows.erase(all_.rows.begin() + static_cast<ptrdiff_t>(limit_), all_.rows.end());
  }
  all_.activity = activity_.value_or(model::Position{});
  return std::move(all_);
}

}  // namespace tidings::gateway
