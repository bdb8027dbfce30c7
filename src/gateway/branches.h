// The beginnings of this server's history (protocol.md §1, "Lineage"), and what a client may still believe of
// what it was told under an older one.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/record.h"

namespace tidings::gateway {

class Branches {
 public:
  // In the order of the log; the same one twice counts once. False: it was known.
  bool add(const model::Lineage& lineage);
  // The branch is known, and no restore or promotion began after it.
  bool holds(std::string_view branch) const;

 private:
  std::vector<std::pair<std::string, model::Lineage::Reason>> lineages_;
};

// As `welcome.branch` has it.
std::string branch_text(const model::Lineage& lineage);

}  // namespace tidings::gateway
