#include "gateway/ring.h"

#include <algorithm>

namespace tidings::gateway {

namespace {

// Its place here, and the block that it lies in.
constexpr size_t holding_bytes = 32;

}  // namespace

void Ring::push(Frame frame) {
  bytes_ += frame.text().size() + holding_bytes;
  frames_.push_back(std::move(frame));
}

void Ring::ack(uint64_t number) {
  if (number >= newest()) {
    acked_ = newest();
    bytes_ = handed_ = 0;
    return frames_.clear();
  }
  for (; acked_ < number; ++acked_) {
    bytes_ -= frames_.front().text().size() + holding_bytes;
    frames_.pop_front();
    if (handed_ > 0) --handed_;
  }
}

}  // namespace tidings::gateway
