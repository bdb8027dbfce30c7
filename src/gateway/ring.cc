#include "gateway/ring.h"

#include <algorithm>

namespace tidings::gateway {

void Ring::push(Frame frame) {
  bytes_ += frame.view().size() + holding_bytes;
  frames_.push_back(std::move(frame));
}

void Ring::push(const std::vector<Frame>& frames, size_t bytes) {
  bytes_ += bytes + frames.size() * holding_bytes;
  frames_.append(frames);
}

void Ring::ack(uint64_t number) {
  if (number >= newest()) {
    acked_ = newest();
    bytes_ = handed_ = 0;
    return frames_.clear();
  }
  for (; acked_ < number; ++acked_) {
    bytes_ -= frames_.front().view().size() + holding_bytes;
    frames_.pop_front();
    if (handed_ > 0) --handed_;
  }
}

}  // namespace tidings::gateway
