// The floor under B4: the least that any server must do for a durable one-to-one message. One epoll thread
// reads 128-byte messages from N sockets, writes all of a loop turn to a file, syncs it once, then
// acknowledges each to its sender and relays it to the partner, one send() a socket and turn. No framing, no
// parsing, no order, no dedupe, no store.
#pragma once

#include <cstdint>

namespace tidings::bench {

struct RelayResult {
  double messages_per_second = 0;
  double server_us_per_message = 0;  // user + system time of the relay's process
};

// `people` sockets in pairs, `window` messages in flight each, for `seconds`; the relay on core 0, the load
// on core 1.
RelayResult run_raw_relay(int people, int window, double seconds);

}  // namespace tidings::bench
