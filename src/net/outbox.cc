#include "net/outbox.h"

#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace tidings::net {

Outbox::Written Outbox::write(int fd, BufferPool& pool) {
  while (sent_ < bytes_.size()) {
    const ssize_t n = ::send(fd, bytes_.data() + sent_, bytes_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      sent_ += static_cast<size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      // What is sent must not pile up in front of what a slow peer has not taken.
      if (sent_ > bytes_.size() / 2) {
        bytes_.erase(0, sent_);
        sent_ = 0;
      }
      return Written::some;
    } else if (errno != EINTR) {
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
