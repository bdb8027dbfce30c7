// Tells the server how many of its frames this client has stored (protocol.md §11): after 128 of them, 64 KiB
// or 1 s, whatever comes first. Counts over all connections of a session. One thread; the caller passes the
// time in.
//
// While something is not kept (a flood of what came too early) acks wait for it to be pulled, but not until
// the server stops for want of them: then what is missing is known, and is pulled as fast as it can be.
#pragma once

#include <cstdint>
#include <optional>

#include "wire/frames.h"

namespace tidings::client {

class Acks {
 public:
  // A new session begins.
  void connected() { *this = {}; }
  // The session goes on behind its first `received` frames.
  void resumed(uint64_t received) {
    *this = {};
    received_ = stored_ = told_ = received;
  }
  // So many counted frames came in a message of so many bytes, and what they say was applied.
  void taken(uint64_t frames, size_t bytes, base::MonotonicTime now) {
    if (frames == 0) return;
    if (received_ == told_) due_at_ = now + interval;
    received_ += frames;
    bytes_ += bytes;
    if (received_ - told_ >= frames_max || bytes_ >= bytes_max) due_at_ = now;
  }
  // The listener has heard of all that was taken; `whole`: and all of it is kept.
  void heard(bool whole) {
    if (whole || received_ - told_ >= withheld_frames_max || bytes_ >= withheld_bytes_max)
      stored_ = received_;
  }
  // How many frames of the session are stored.
  uint64_t stored() const { return stored_; }

  std::optional<wire::Ack> due(base::MonotonicTime now) {
    if (stored_ == told_ || due_at_ > now) return std::nullopt;
    told_ = stored_;
    bytes_ = 0;
    return wire::Ack{stored_};
  }
  std::optional<base::MonotonicTime> next() const {
    return stored_ == told_ ? std::nullopt : std::optional(due_at_);
  }

 private:
  static constexpr uint64_t frames_max = 128;
  static constexpr size_t bytes_max = 64 * 1024;
  // Half of what a server keeps of a session before it leaves events out.
  static constexpr uint64_t withheld_frames_max = 256;
  static constexpr size_t withheld_bytes_max = 128 * 1024;
  static constexpr base::nanoseconds interval = std::chrono::seconds(1);
  uint64_t received_ = 0, stored_ = 0, told_ = 0;
  size_t bytes_ = 0;  // since the last ack
  base::MonotonicTime due_at_{};
};

}  // namespace tidings::client
