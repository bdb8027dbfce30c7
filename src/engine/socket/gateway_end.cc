#include "engine/socket/gateway_end.h"

#include <algorithm>

#include "base/log_line.h"

namespace tidings::socket {

void GatewayEnd::open(net::MessageSocket socket) {
  close();
  stream_ = socket(parts_.executor, *this, message_bytes_max(parts_.limits));
  stream_->send(encode(LinkHello{link_version, parts_.gateway_id, parts_.core_index}));
}

void GatewayEnd::close() {
  stream_.reset();
  open_ = false;
  frames_.clear();
  set_outstanding(0);
  taken_ = {};
}

bool GatewayEnd::send(ports::UpFrame frame) {
  if (!open_) return false;
  const size_t before = frames_.size();
  const size_t bytes = append(frames_, frame);
  if (outstanding_ + bytes > parts_.limits.link_queue_bytes_max) {
    frames_.resize(before);
    return false;
  }
  outstanding_ += bytes;
  stream_->at_turn_end();
  return true;
}

void GatewayEnd::set_outstanding(uint64_t bytes) {
  outstanding_ = bytes;
  if (gauge_) gauge_->set(bytes);
}

void GatewayEnd::on_turn_end() {
  set_outstanding(outstanding_);
  if (!frames_.empty()) stream_->send(encode_up(std::exchange(frames_, {})));
  if (is_due(taken_, parts_.limits)) stream_->send(encode(std::exchange(taken_, {})));
}

void GatewayEnd::on_closed() {
  close();
  parts_.on_closed();
}

void GatewayEnd::on_message(std::string_view message) {
  if (take(message)) return;
  base::log_warning("link: core shard {} does not speak this gateway's language", parts_.core_index);
  on_closed();
}

bool GatewayEnd::take(std::string_view message) {
  if (!open_) {
    const auto welcome = decode_welcome(message);
    if (!welcome || welcome->version != link_version) return false;
    open_ = true;
    parts_.on_open();
    return true;
  }
  if (kind_of(message) == MessageKind::taken) {
    const auto taken = decode_taken(message);
    if (!taken) return false;
    set_outstanding(outstanding_ - std::min(outstanding_, taken->bytes));
    return true;
  }
  size_t bytes = 0;
  auto batch = decode_down(message, bytes);
  if (!batch) return false;
  taken_.bytes += bytes;
  taken_.notice |= batch->frames.empty();
  if (is_due(taken_, parts_.limits)) stream_->at_turn_end();
  parts_.gateway.on_down(parts_.core_index, std::move(*batch));
  return true;
}

}  // namespace tidings::socket
