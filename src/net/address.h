// The address of a peer in 17 bytes, written out only when somebody asks; and which peers are believed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>

namespace tidings::net {

class Address {
 public:
  Address() = default;
  explicit Address(const sockaddr_storage& from);
  // 4 or 16 bytes as they travel; else unknown.
  explicit Address(std::span<const uint8_t> bytes);
  static std::optional<Address> parse(std::string_view text);

  // Without port; an IPv4 address inside IPv6 as IPv4; "" if unknown.
  std::string text() const;
  // In 4 or 16 bytes; none if unknown.
  std::span<const uint8_t> bytes() const { return {bytes_.data(), size_}; }

 private:
  std::array<uint8_t, 16> bytes_{};
  uint8_t size_ = 0;
};

// Addresses and blocks of them.
class AddressList {
 public:
  // "127.0.0.1, 10.0.0.0/8, fd00::/8"; "" is an empty list. nullopt if anything in it is something else.
  static std::optional<AddressList> parse(std::string_view text);
  bool contains(const Address& address) const;
  bool empty() const { return blocks_.empty(); }

 private:
  struct Block {
    Address first;
    size_t bits;
  };
  std::vector<Block> blocks_;
};

}  // namespace tidings::net
