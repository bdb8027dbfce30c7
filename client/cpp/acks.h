// Tells the server how many of its frames this client has taken in (protocol.md §11): after 128 of them, 64
// KiB or 1 s, whatever comes first. Counts anew from each welcome. One thread; the caller passes the time in.
#pragma once

#include <cstdint>
#include <optional>

#include "wire/frames.h"

namespace tidings::client {

class Acks {
 public:
  void connected() { *this = {}; }
  // So many counted frames came in a message of so many bytes, and what they say was applied.
  void taken(uint64_t frames, size_t bytes, base::MonotonicTime now) {
    if (frames == 0) return;
    if (received_ == told_) due_at_ = now + interval;
    received_ += frames;
    bytes_ += bytes;
    if (received_ - told_ >= frames_max || bytes_ >= bytes_max) due_at_ = now;
  }
  std::optional<wire::Ack> due(base::MonotonicTime now) {
    if (received_ == told_ || due_at_ > now) return std::nullopt;
    told_ = received_;
    bytes_ = 0;
    return wire::Ack{received_};
  }
  std::optional<base::MonotonicTime> next() const {
    return received_ == told_ ? std::nullopt : std::optional(due_at_);
  }

 private:
  static constexpr uint64_t frames_max = 128;
  static constexpr size_t bytes_max = 64 * 1024;
  static constexpr base::nanoseconds interval = std::chrono::seconds(1);
  uint64_t received_ = 0, told_ = 0;
  size_t bytes_ = 0;
  base::MonotonicTime due_at_{};
};

}  // namespace tidings::client
