#include "net/stream.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace tidings::net {

namespace {
bool would_wait() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}
}  // namespace

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this != &other) {
    reset();
    socket_ = std::move(other.socket_);
    session_ = std::exchange(other.session_, nullptr);
    read_must_write_ = other.read_must_write_;
    write_must_read_ = other.write_must_read_;
    ended_ = other.ended_;
  }
  return *this;
}

Stream::Moved Stream::read(char* to, size_t size) {
  if (!session_) {
    const ssize_t n = ::recv(socket_.get(), to, size, MSG_DONTWAIT);
    if (n > 0) return {Outcome::some, static_cast<size_t>(n)};
    if (n < 0 && would_wait()) return {Outcome::again, 0};
    return {n == 0 ? Outcome::end : Outcome::broken, 0};
  }
  if (ended_) return {Outcome::broken, 0};
  ERR_clear_error();
  errno = 0;
  const int n = SSL_read(session_, to, static_cast<int>(std::min<size_t>(size, INT_MAX)));
  return outcome_of(n, read_must_write_, SSL_ERROR_WANT_READ);
}

Stream::Moved Stream::write(const char* from, size_t size) {
  if (!session_) {
    const ssize_t n = ::send(socket_.get(), from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return {Outcome::some, static_cast<size_t>(n)};
    return {would_wait() ? Outcome::again : Outcome::broken, 0};
  }
  if (ended_) return {Outcome::broken, 0};
  ERR_clear_error();
  errno = 0;
  const int n = SSL_write(session_, from, static_cast<int>(std::min<size_t>(size, INT_MAX)));
  return outcome_of(n, write_must_read_, SSL_ERROR_WANT_WRITE);
}

Stream::Moved Stream::outcome_of(int returned, bool& crossed, uint32_t own_error) {
  crossed = false;
  if (returned > 0) return {Outcome::some, static_cast<size_t>(returned)};
  const int error = SSL_get_error(session_, returned);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    crossed = static_cast<uint32_t>(error) != own_error;
    return {Outcome::again, 0};
  }
  if (error == SSL_ERROR_ZERO_RETURN) return {Outcome::end, 0};
  ended_ = true;
  return {Outcome::broken, 0};
}

void Stream::shut_write() {
  if (session_ && !ended_ && SSL_is_init_finished(session_)) {
    ERR_clear_error();
    SSL_shutdown(session_);
  }
  ::shutdown(socket_.get(), SHUT_WR);
}

void Stream::reset() {
  SSL_free(std::exchange(session_, nullptr));
  socket_.reset();
}

uint32_t Stream::waits_for(uint32_t wanted) const {
  uint32_t events = 0;
  if (wanted & EPOLLIN) events |= read_must_write_ ? EPOLLOUT : EPOLLIN;
  if (wanted & EPOLLOUT) events |= write_must_read_ ? EPOLLIN : EPOLLOUT;
  return events;
}

uint32_t Stream::may(uint32_t ready) const {
  uint32_t events = ready;
  if (read_must_write_ && (ready & EPOLLOUT)) events |= EPOLLIN;
  if (write_must_read_ && (ready & EPOLLIN)) events |= EPOLLOUT;
  return events;
}

std::string Stream::why() const {
  if (!session_) return std::strerror(errno);
  if (const long verdict = SSL_get_verify_result(session_); verdict != X509_V_OK)
    return std::string("its certificate is not accepted: ") + X509_verify_cert_error_string(verdict);
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  if (reason) return std::string("TLS: ") + reason;
  return errno != 0 ? std::strerror(errno) : "the peer closed the connection";
}

}  // namespace tidings::net
