// The bytes of one connected TCP socket, plain or inside TLS, without waiting. Everything in net/ that talks
// to a peer does it through this, so it need not know which.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "net/file_descriptor.h"

struct ssl_st;  // OpenSSL's SSL

namespace tidings::net {

// TLS shakes hands by itself during the first reads and writes. May be moved between threads while none of
// them uses it.
class Stream {
 public:
  enum class Outcome : uint8_t {
    some,    // at least one byte
    again,   // nothing now; wait for waits_for()
    end,     // the peer has ended properly
    broken,  // it is of no use any more
  };
  struct Moved {
    Outcome outcome;
    size_t bytes;
  };

  Stream() = default;
  explicit Stream(FileDescriptor socket) : socket_(std::move(socket)) {}
  // Takes the session, which has begun to use the socket (net/tls.h).
  Stream(FileDescriptor socket, ssl_st* session) : socket_(std::move(socket)), session_(session) {}
  Stream(Stream&& other) noexcept { *this = std::move(other); }
  Stream& operator=(Stream&& other) noexcept;
  ~Stream() { reset(); }

  explicit operator bool() const { return static_cast<bool>(socket_); }
  int fd() const { return socket_.get(); }
  bool secure() const { return session_ != nullptr; }

  // At most what one read gives; after `some` there may be more, then the poller says so. `size`: 16 KiB or
  // more, for TLS gives a record whole or would keep the rest of it where no poller sees it.
  Moved read(char* to, size_t size);
  // What TLS did not take is to be given again, with more behind it or not.
  Moved write(const char* from, size_t size);
  // The peer reads the end behind what is written; reading goes on.
  void shut_write();
  // Gives a plain stream's socket away.
  FileDescriptor take() { return std::move(socket_); }
  // Cuts.
  void reset();

  // What the poller has to wait for (EPOLLIN, EPOLLOUT) if that is wanted; and what may be done now that it
  // said `ready`. Not the same inside TLS, where reading may have to write first.
  uint32_t waits_for(uint32_t wanted) const;
  uint32_t may(uint32_t ready) const;

  // Why the last read or write was broken, in half a sentence.
  std::string why() const;

 private:
  Moved outcome_of(int returned, bool& crossed, uint32_t own_error);

  FileDescriptor socket_;
  bool read_must_write_ = false;
  bool write_must_read_ = false;
  bool ended_ = false;  // by an error: OpenSSL must not be asked to say good-bye
  ssl_st* session_ = nullptr;
};

}  // namespace tidings::net
