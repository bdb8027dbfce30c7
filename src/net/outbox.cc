#include "net/outbox.h"

#include <utility>

#include "net/stream.h"

namespace tidings::net {

Outbox::Written Outbox::write(Stream& stream, BufferPool& pool) {
  while (sent_ < bytes_.size()) {
    const auto [outcome, n] = stream.write(bytes_.data() + sent_, bytes_.size() - sent_);
    if (outcome == Stream::Outcome::some) {
      sent_ += n;
    } else if (outcome == Stream::Outcome::again) {
      // What is sent must not pile up in front of what a slow peer has not taken.
      if (sent_ > bytes_.size() / 2) {
        bytes_.erase(0, sent_);
        sent_ = 0;
      }
      return Written::some;
    } else {
      drop(pool);
      return Written::broken;
    }
  }
  drop(pool);
  return Written::all;
}

void Outbox::drop(BufferPool& pool) {
  sent_ = 0;
  if (bytes_.capacity() >= small_bytes) pool.give(std::exchange(bytes_, {}));
  bytes_.clear();
}

}  // namespace tidings::net
