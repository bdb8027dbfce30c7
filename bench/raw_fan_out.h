// The floor under a group: the least that any server must do to tell each durable message to everybody. One
// epoll thread reads 128-byte messages, writes all of a loop turn to a file, syncs it once, and relays them
// to all sockets of the group but the sender's, one send() a socket and turn. No framing, no parsing, no
// order, no members, no marks. The relay has core 0, the load core 1.
#pragma once

#include <cstddef>

namespace tidings::bench {

struct FanOutResult {
  double server_us_per_delivery = 0, server_us_per_message = 0;
  double p50_ms = 0, p99_ms = 0;  // from the time that it was to be sent to the arrival at a socket
};

// So many messages a second, one after another from each of the first `senders` of `people` sockets, whatever
// becomes of them.
FanOutResult run_raw_fan_out(int people, int senders, double messages_per_second, double seconds);

struct ClosedFanOutResult {
  double deliveries_per_second = 0, server_us_per_delivery = 0;
};

// One sender to each group, with so many messages in flight that not everybody has.
ClosedFanOutResult run_raw_fan_out_closed(size_t groups, size_t receivers, size_t window, double seconds);

}  // namespace tidings::bench
