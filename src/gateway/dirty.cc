#include "gateway/dirty.h"

#include <algorithm>

namespace tidings::gateway {

void Dirty::note(const model::ConversationId& conversation, model::Seq seq) {
  if (list_) return;
  auto& head = heads_[conversation];
  head = std::max(head, seq);
  if (heads_.size() > conversations_max_) note_list();
}

void Dirty::note_list() {
  list_ = true;
  heads_.clear();
}

wire::Dirty Dirty::frame() const {
  wire::Dirty frame;
  frame.list = list_;
  for (const auto& [conversation, head] : heads_) frame.conversations.push_back({conversation, head});
  std::ranges::sort(frame.conversations, {}, &wire::Dirty::Row::conversation);
  return frame;
}

}  // namespace tidings::gateway
