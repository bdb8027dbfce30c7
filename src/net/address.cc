#include "net/address.h"

#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace tidings::net {

Address::Address(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET) {
    std::memcpy(bytes_.data(), &reinterpret_cast<const sockaddr_in&>(from).sin_addr, 4);
    size_ = 4;
  } else if (from.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(from).sin6_addr;
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&address);
    size_ = mapped ? 4 : 16;
    std::memcpy(bytes_.data(), address.s6_addr + (mapped ? 12 : 0), size_);
  }
}

std::string Address::text() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (size_ != 0) ::inet_ntop(size_ == 4 ? AF_INET : AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

}  // namespace tidings::net
