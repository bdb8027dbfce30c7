// Who a connection is from when a proxy made it: the header of the PROXY protocol, version 2 (haproxy.org,
// proxy-protocol.txt), and what proxies add to an HTTP request. Only to be asked about proxies that are
// believed.
#pragma once

#include <cstddef>
#include <string_view>

#include "net/address.h"
#include "net/http.h"

namespace tidings::net {

// The first byte of every such header, and of nothing else that a client of ours begins with.
constexpr char proxy_header_first = '\r';
// A header is at most so long; proxies send less than 100 bytes, more only with many extensions.
constexpr size_t proxy_header_bytes_max = 2048;

struct ProxyHeader {
  enum class Progress {
    more,      // `bytes` are needed in all, as far as is known yet
    complete,  // the header is the first `bytes`
    refused,   // it is none, or a too long one
  };
  Progress progress = Progress::refused;
  size_t bytes = 0;
  // Whom the proxy speaks for; unknown: for itself (a health check), or for somebody without an IP address.
  Address client;
};
// What the bytes begin with. Whoever reads no more than is asked for has nothing of what follows.
ProxyHeader parse_proxy_header(std::string_view bytes);

// The client of a request that came from `peer`: the last one named in that header who is not believed
// himself. `peer` if he is not believed, or names nobody. The other header counts for nothing: a proxy hands
// on what its client wrote there.
Address forwarded_client(const HttpHeaders& headers, const Address& peer, const AddressList& believed,
                         ForwardedBy by);

}  // namespace tidings::net
