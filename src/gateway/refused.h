// The client ids of sends that this gateway refused before the append (protocol.md §4, `previous`).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/ids.h"

namespace tidings::gateway {

// At most `max` of them; the oldest is forgotten. Mostly there are none: then it is a pointer.
class RefusedIds {
 public:
  explicit RefusedIds(size_t max) : max_(static_cast<uint32_t>(max)) {}
  void remember(const model::ClientId& id) {
    if (!ids_) ids_ = std::make_unique<std::vector<model::ClientId>>();
    std::erase(*ids_, id);
    ids_->push_back(id);
    if (ids_->size() > max_) ids_->erase(ids_->begin());
  }
  void forget(const model::ClientId& id) {
    if (ids_ && std::erase(*ids_, id) > 0 && ids_->empty()) ids_.reset();
  }
  bool contains(const model::ClientId& id) const {
    return ids_ && std::ranges::find(*ids_, id) != ids_->end();
  }

 private:
  std::unique_ptr<std::vector<model::ClientId>> ids_;
  const uint32_t max_;
};

}  // namespace tidings::gateway
