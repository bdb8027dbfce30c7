// The client ids of sends that this gateway refused before the append (protocol.md §4, `previous`).
#pragma once

#include <algorithm>
#include <vector>

#include "model/ids.h"

namespace tidings::gateway {

// At most `max` of them; the oldest is forgotten.
class RefusedIds {
 public:
  explicit RefusedIds(size_t max) : max_(max) {}
  void remember(const model::ClientId& id) {
    forget(id);
    ids_.push_back(id);
    if (ids_.size() > max_) ids_.erase(ids_.begin());
  }
  void forget(const model::ClientId& id) { std::erase(ids_, id); }
  bool contains(const model::ClientId& id) const { return std::ranges::find(ids_, id) != ids_.end(); }

 private:
  size_t max_;
  std::vector<model::ClientId> ids_;
};

}  // namespace tidings::gateway
