// Bytes that wait for a socket: one contiguous buffer, borrowed from the reactor's pool while there is
// anything to send, or bytes that wait for other sockets, too.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/shared_bytes.h"

namespace tidings::net {

// Empty buffers kept for reuse, so that an idle connection holds none and a busy one allocates none. One
// thread.
class BufferPool {
 public:
  std::string take() {
    std::string buffer;
    if (free_.empty()) {
      buffer.reserve(buffer_bytes_first);
      return buffer;
    }
    buffer = std::move(free_.back());
    free_.pop_back();
    bytes_ -= buffer.capacity();
    return buffer;
  }
  void give(std::string buffer) {
    if (buffer.capacity() > buffer_bytes_max || bytes_ + buffer.capacity() > bytes_max) return;
    buffer.clear();
    bytes_ += buffer.capacity();
    free_.push_back(std::move(buffer));
  }

 private:
  static constexpr size_t buffer_bytes_first = 240;
  static constexpr size_t buffer_bytes_max = 16 * 1024;
  static constexpr size_t bytes_max = 16u << 20;  // 16 messages of 400 bytes to each of 2,000 people
  std::vector<std::string> free_;
  size_t bytes_ = 0;
};

class Stream;

class Outbox {
 public:
  enum class Written { all, some, broken };

  // The buffer to append to.
  std::string& buffer(BufferPool& pool) {
    if (shared_) unshare(pool);
    if (bytes_.capacity() < small_bytes) bytes_ = pool.take().append(bytes_);
    return bytes_;
  }
  // Holds on to them if nothing else waits.
  void append(const base::SharedBytes& bytes, BufferPool& pool) {
    if (this->bytes() > 0) {
      buffer(pool).append(bytes.view());
    } else {
      shared_ = bytes;
    }
  }
  // Nobody else holds anything of it: it may go to another thread.
  void unshare(BufferPool& pool);
  size_t bytes() const { return waiting().size() - sent_; }
  // Hands the peer what it takes without waiting. Whatever happened, an empty outbox has given its buffer
  // back.
  Written write(Stream& stream, BufferPool& pool);
  void drop(BufferPool& pool);

 private:
  std::string_view waiting() const { return shared_ ? shared_.view() : std::string_view(bytes_); }

  static constexpr size_t small_bytes = 64;
  std::string bytes_;  // empty while anything is shared
  base::SharedBytes shared_;
  size_t sent_ = 0;  // of what waits
};

}  // namespace tidings::net
