// The floor under sessions: the least that any server must do. One epoll thread accepts, answers an upgrade
// with the same bytes for everybody, what comes next with others, and whatever comes then with others again,
// each in one send(). It remembers how far each connection is. No parsing, no tokens, no people. Inside TLS
// it is what OpenSSL costs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "bench/real_server.h"

namespace tidings::bench {

class RawServer {
 public:
  struct Answers {
    std::string hello, later;
  };
  // Empty paths: without TLS.
  explicit RawServer(const Answers& answers, const std::string& certificate = "",
                     const std::string& key = "");
  ~RawServer();
  RawServer(const RawServer&) = delete;

  uint16_t port() const { return port_; }
  double cpu_seconds() const;
  Memory memory() const;

 private:
  pid_t pid_ = 0;
  uint16_t port_ = 0;
};

// A text frame of at least so many bytes.
std::string raw_frame(std::string text, size_t bytes_min = 0);

// `sessions` connect at once, as a Swarm does; each gets a welcome and `frames` frames of `frame_bytes`.
// Microseconds of the server, which shares all cores with the load, for each.
double raw_session_us(size_t sessions, size_t frames, size_t frame_bytes);

}  // namespace tidings::bench
