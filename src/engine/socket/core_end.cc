#include "engine/socket/core_end.h"

#include <algorithm>

#include "base/log_line.h"

namespace tidings::socket {

CoreEnd::CoreEnd(Parts parts, net::MessageSocket socket)
    : parts_(std::move(parts)), stream_(socket(parts_.executor, *this, message_bytes_max(parts_.limits))) {
  if (parts_.queue_bytes) gauge_.emplace(*parts_.queue_bytes);
  stream_->send(encode(Welcome{}));
  parts_.core.on_link(parts_.gateway_id, *this);
}

CoreEnd::~CoreEnd() {
  parts_.core.on_unlink(parts_.gateway_id);
}

void CoreEnd::send(ports::DownFrame frame) {
  stream_->at_turn_end();
  const size_t before = frames_.size();
  const size_t bytes = append(frames_, frame);
  // After one frame was dropped the rest of the turn is, too: what comes behind a gap comes in a batch that
  // shows it.
  if (dropping_ || outstanding_ + bytes > parts_.limits.link_queue_bytes_max) {
    frames_.resize(before);
    dropping_ = true;
    return;
  }
  outstanding_ += bytes;
}

void CoreEnd::on_turn_end() {
  if (gauge_) gauge_->set(outstanding_);
  if (!frames_.empty()) send_batch(std::exchange(frames_, {}));
  if (std::exchange(dropping_, false)) {
    ++number_;
    // The gap must be seen even if nothing follows. One such notice under way is enough: whoever sees it asks
    // again, and that is later than all that was dropped before.
    if (!std::exchange(notice_under_way_, true)) send_batch({});
  }
  if (is_due(taken_, parts_.limits)) stream_->send(encode(std::exchange(taken_, {})));
}

// The call may destroy this, and with it what is called.
void CoreEnd::on_closed() {
  const auto call = parts_.on_closed;
  call();
}

void CoreEnd::send_batch(base::BytesView frames) {
  ports::DownBatch batch;
  batch.stamp = parts_.core.stamp();
  batch.number = number_ + 1;
  batch.previous = number_;
  ++number_;
  stream_->send(encode_down(batch, frames));
}

void CoreEnd::on_message(std::string_view message) {
  if (const auto taken = decode_taken(message)) {
    outstanding_ -= std::min(outstanding_, taken->bytes);
    if (gauge_) gauge_->set(outstanding_);
    if (taken->notice) notice_under_way_ = false;
    return;
  }
  auto frames = decode_up(message);
  if (!frames) {
    base::log_warning("link: gateway {:x} does not speak this core's language; the link is closed",
                      parts_.gateway_id);
    return on_closed();
  }
  taken_.bytes += message.size() - up_head_bytes;
  if (is_due(taken_, parts_.limits)) stream_->at_turn_end();
  parts_.core.on_up(parts_.gateway_id, std::move(*frames));
}

}  // namespace tidings::socket
