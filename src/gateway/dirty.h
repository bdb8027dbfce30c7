// What a session in pull mode was not told: the conversations whose events and receipts were left out, with
// the newest seq of each that is known. Beyond the bound it is "sync".
#pragma once

#include <cstddef>
#include <unordered_map>

#include "model/ids.h"
#include "wire/frames.h"

namespace tidings::gateway {

class Dirty {
 public:
  explicit Dirty(size_t conversations_max) : conversations_max_(conversations_max) {}

  // `seq` 0: a receipt.
  void note(const model::ConversationId& conversation, model::Seq seq);
  // Nobody knows what was left out.
  void note_list();
  size_t size() const { return heads_.size(); }

  // By conversation.
  wire::Dirty frame() const;

 private:
  const size_t conversations_max_;
  bool list_ = false;
  std::unordered_map<model::ConversationId, model::Seq> heads_;
};

}  // namespace tidings::gateway
