// The counted frames of a session that its client has not acked, by their numbers 1, 2, 3 …: what is still to
// be given to a transport, and what may have to be given to the next one. Nothing is bounded in here; who
// pushes asks how much there is. Empty it holds no memory, and a push allocates only when it outgrows what it
// has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidings::gateway {

class Ring {
 public:
  // The number of the newest frame, and of the newest that was acked.
  uint64_t newest() const { return acked_ + frames_; }
  uint64_t acked() const { return acked_; }
  size_t frames() const { return frames_; }
  size_t bytes() const { return buffer_.size() - begin_; }

  void push(std::string_view frame);
  // All up to `number` are stored at the client; only numbers in acked()..newest() mean anything.
  void ack(uint64_t number);

  // There are frames that were not given to the transport yet.
  bool waits() const { return handed_ < frames_; }
  // The next of them, which is given now; only while waits(). Valid until anything changes here.
  std::string_view hand_over();
  // All that is not acked is given again.
  void rewind();

 private:
  // Each frame stands in buffer_ behind its length.
  std::string_view frame_at(size_t at) const;
  void make_room(size_t bytes);

  std::string buffer_;
  size_t begin_ = 0;  // of the oldest frame
  size_t next_ = 0;   // of the next to hand over
  uint64_t acked_ = 0;
  uint32_t frames_ = 0;
  uint32_t handed_ = 0;  // of frames_
};

}  // namespace tidings::gateway
