// The counted frames of a session that its client has not acked, by their numbers 1, 2, 3 …: what is still to
// be given to a transport, and what may have to be given to the next one. Nothing is bounded in here; who
// pushes asks how much there is. Empty it holds no memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "gateway/frame.h"
#include "gateway/queue.h"

namespace tidings::gateway {

class Ring {
 public:
  // The number of the newest frame, and of the newest that was acked.
  uint64_t newest() const { return acked_ + frames_.size(); }
  uint64_t acked() const { return acked_; }
  size_t frames() const { return frames_.size(); }
  // Of the frames and what it costs to hold them; as if nobody shared them.
  size_t bytes() const { return bytes_; }

  // What a frame costs beside its bytes: its place here, and the block that it lies in.
  static constexpr size_t holding_bytes = 32;

  void push(Frame frame);
  // All of them; `bytes`: together.
  void push(const std::vector<Frame>& frames, size_t bytes);
  // All up to `number` are stored at the client; only numbers in acked()..newest() mean anything.
  void ack(uint64_t number);

  // There are frames that were not given to the transport yet.
  bool waits() const { return handed_ < frames_.size(); }
  // The next of them, which is given now; only while waits(). Valid until anything changes here.
  std::string_view hand_over() { return frames_[handed_++].view(); }
  // The transport is given all the others some other way.
  void hand_over_all() { handed_ = static_cast<uint32_t>(frames_.size()); }
  // All that is not acked is given again.
  void rewind() { handed_ = 0; }

 private:
  Queue<Frame> frames_;
  uint64_t acked_ = 0;
  size_t bytes_ = 0;
  uint32_t handed_ = 0;  // of frames_
};

}  // namespace tidings::gateway
