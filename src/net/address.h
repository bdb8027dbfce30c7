// The address of a peer in 17 bytes, written out only when somebody asks.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <sys/socket.h>

namespace tidings::net {

class Address {
 public:
  Address() = default;
  explicit Address(const sockaddr_storage& from);
  // Without port; an IPv4 address inside IPv6 as IPv4; "" if unknown.
  std::string text() const;

 private:
  std::array<uint8_t, 16> bytes_{};
  uint8_t size_ = 0;
};

}  // namespace tidings::net
