#include "gateway/ring.h"

#include <algorithm>
#include <cstring>

namespace tidings::gateway {

namespace {

using Length = uint32_t;
// Small rings double; large ones, of many sessions that do not ack, waste no more than a step.
constexpr size_t room_min = 512, room_step = 32 * 1024;

}  // namespace

std::string_view Ring::frame_at(size_t at) const {
  Length length = 0;
  std::memcpy(&length, buffer_.data() + at, sizeof(length));
  return {buffer_.data() + at + sizeof(length), length};
}

void Ring::make_room(size_t bytes) {
  if (buffer_.capacity() - buffer_.size() >= bytes) return;
  if (begin_ > buffer_.size() / 2) {
    buffer_.erase(0, begin_);
    next_ -= begin_;
    begin_ = 0;
    if (buffer_.capacity() - buffer_.size() >= bytes) return;
  }
  // Grown by hand, because a string doubles whatever it is asked for.
  std::string larger;
  larger.reserve(this->bytes() + bytes + std::clamp(this->bytes(), room_min, room_step));
  larger.append(buffer_, begin_);
  buffer_.swap(larger);
  next_ -= begin_;
  begin_ = 0;
}

void Ring::push(std::string_view frame) {
  const auto length = static_cast<Length>(frame.size());
  make_room(sizeof(length) + frame.size());
  buffer_.append(reinterpret_cast<const char*>(&length), sizeof(length));
  buffer_.append(frame);
  ++frames_;
}

void Ring::ack(uint64_t number) {
  if (number >= newest()) {
    acked_ = newest();
    frames_ = handed_ = 0;
    begin_ = next_ = 0;
    std::string().swap(buffer_);
    return;
  }
  for (; acked_ < number; ++acked_, --frames_) {
    begin_ += sizeof(Length) + frame_at(begin_).size();
    if (handed_ > 0) --handed_;
  }
  next_ = std::max(next_, begin_);
}

std::string_view Ring::hand_over() {
  const auto frame = frame_at(next_);
  next_ += sizeof(Length) + frame.size();
  ++handed_;
  return frame;
}

void Ring::rewind() {
  next_ = begin_;
  handed_ = 0;
}

}  // namespace tidings::gateway
