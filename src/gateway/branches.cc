#include "gateway/branches.h"

#include <algorithm>

#include "base/bytes.h"

namespace tidings::gateway {

std::string branch_text(const model::Lineage& lineage) {
  base::Bytes bytes;
  base::append_key(bytes, lineage.tag);
  return base::to_hex(bytes);
}

bool Branches::add(const model::Lineage& lineage) {
  auto text = branch_text(lineage);
  const bool known =
      std::ranges::any_of(lineages_, [&](const auto& known_one) { return known_one.first == text; });
  if (!known) lineages_.emplace_back(std::move(text), lineage.reason);
  return !known;
}

bool Branches::holds(std::string_view branch) const {
  const auto found =
      std::ranges::find_if(lineages_, [&](const auto& lineage) { return lineage.first == branch; });
  if (found == lineages_.end()) return false;
  return std::all_of(found + 1, lineages_.end(),
                     [](const auto& later) { return later.second == model::Lineage::Reason::start; });
}

}  // namespace tidings::gateway
