// Very many connections that say hello and then never read again. One thread; blocks while it connects.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/file_descriptor.h"

namespace tidings::faults {

class SlowConnections {
 public:
  // Connects with that token, waits for the welcome, and reads no more from then on.
  base::Status add(uint16_t port, const std::string& token);
  size_t size() const { return sockets_.size(); }
  // Reads at last: how many of these connections have ended, and how many of them were told `slow_consumer`.
  struct Ends {
    size_t ended = 0, told = 0;
  };
  Ends read_to_the_end();

 private:
  std::vector<net::FileDescriptor> sockets_;
};

}  // namespace tidings::faults
