// Names of machines, looked up by Asio, which asks getaddrinfo() on a thread of its own.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "net/reactor.h"

namespace tidings::net {

// Of one reactor, on its thread.
class Names {
 public:
  explicit Names(Reactor& reactor) : reactor_(reactor) {}

  // `done` runs later: where to connect to, in the order of preference; empty: the name is unknown.
  void find(const std::string& host, uint16_t port,
            std::function<void(std::vector<boost::asio::ip::tcp::endpoint>)> done);

 private:
  // The reactor knows nothing of Asio's loop: it is looked at while anything is under way.
  void look_later();

  Reactor& reactor_;
  size_t under_way_ = 0;
  boost::asio::io_context context_{1};
};

}  // namespace tidings::net
