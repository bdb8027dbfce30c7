#include "client/cpp/vector_sync.h"

#include <algorithm>

namespace tidings::client {

namespace {

model::ConversationId last_conversation() {
  model::ConversationId id;
  id.bytes.fill(0xff);
  return id;
}

model::ConversationId after(model::ConversationId id) {
  for (size_t i = id.bytes.size(); i-- > 0;) {
    if (++id.bytes[i] != 0) break;
  }
  return id;
}

}  // namespace

void VectorSync::start(std::vector<wire::VectorEntry> rows, size_t chunk_rows_max,
                       std::optional<model::Position> activity) {
  rows_ = std::move(rows);
  activity_ = activity;
  chunk_rows_max_ = std::max<size_t>(1, chunk_rows_max);
  end_ = 0;
  from_ = {};
  next_chunk();
}

wire::SyncFrame VectorSync::frame(wire::Request request) const {
  wire::SyncFrame frame{.request = request, .from = from_, .to = to_, .activity = activity_};
  for (size_t i = begin_; i < end_; ++i) {
    if (rows_[i].conversation >= from_) frame.vector.push_back(rows_[i]);
  }
  return frame;
}

VectorSync::Step VectorSync::answer(const wire::SyncAnswer& answer) {
  for (const wire::SyncedConversation& row : answer.conversations) {
    if (row.conversation < from_ || row.conversation > to_) return Step::broken;
  }
  if (answer.more) {
    if (!answer.next || *answer.next <= from_ || *answer.next > to_) return Step::broken;
    from_ = *answer.next;
    return Step::again;
  }
  if (to_ == last_conversation()) return Step::done;
  from_ = after(to_);
  next_chunk();
  return Step::again;
}

void VectorSync::next_chunk() {
  begin_ = end_;
  end_ = std::min(rows_.size(), begin_ + chunk_rows_max_);
  to_ = end_ == rows_.size() ? last_conversation() : rows_[end_ - 1].conversation;
}

}  // namespace tidings::client
