#include "net/outbox.h"

#include <utility>

#include "net/stream.h"

namespace tidings::net {

Outbox::Written Outbox::write(Stream& stream, BufferPool& pool) {
  const std::string_view all = waiting();
  while (sent_ < all.size()) {
    const auto [outcome, n] = stream.write(all.data() + sent_, all.size() - sent_);
    if (outcome == Stream::Outcome::some) {
      sent_ += n;
    } else if (outcome == Stream::Outcome::again) {
      // What is sent must not pile up in front of what a slow peer has not taken.
      if (!shared_ && sent_ > bytes_.size() / 2) {
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

void Outbox::unshare(BufferPool& pool) {
  if (!shared_) return;
  const auto shared = std::exchange(shared_, {});
  buffer(pool).append(shared.view().substr(std::exchange(sent_, 0)));
}

void Outbox::drop(BufferPool& pool) {
  sent_ = 0;
  shared_ = {};
  if (bytes_.capacity() >= small_bytes) pool.give(std::exchange(bytes_, {}));
  bytes_.clear();
}

}  // namespace tidings::net
