#include "gateway/links.h"

#include <algorithm>

#include "base/check.h"

namespace tidings::gateway {

void Links::set(std::vector<ports::LinkToCore*> links) {
  TIDINGS_CHECK(links_.empty() && !links.empty());
  for (auto* link : links) links_.push_back({link, 0, std::nullopt});
}

size_t Links::shard_of(const model::ConversationId& conversation) const {
  return model::partition_of(conversation).value % links_.size();
}

bool Links::send(size_t shard, ports::UpFrame frame) {
  return links_[shard].to_core->send(std::move(frame));
}

bool Links::send(const model::ConversationId& conversation, ports::UpFrame frame) {
  return send(shard_of(conversation), std::move(frame));
}

void Links::reset(size_t shard) {
  links_[shard].last_number = 0;
  links_[shard].source.reset();
}

bool Links::received(size_t shard, const ports::DownBatch& batch) {
  auto& link = links_[shard];
  const bool whole =
      batch.previous == link.last_number && link.source.value_or(batch.stamp.source) == batch.stamp.source;
  link.last_number = batch.number;
  link.source = batch.stamp.source;
  folded_below_ = std::max(folded_below_, batch.stamp.folded_below);
  if (!newest_ || batch.stamp.log_time >= newest_->log_time)
    newest_ = Told{batch.stamp.log_time, clock_.monotonic()};
  return whole;
}

base::WallTime Links::log_time() const {
  if (!newest_) return clock_.wall();
  return newest_->log_time + std::chrono::duration_cast<base::milliseconds>(clock_.monotonic() - newest_->at);
}

}  // namespace tidings::gateway
