// The floor under a group: the least that any server must do to tell each durable message to everybody. One
// epoll thread reads 128-byte messages, writes all of a loop turn to a file, syncs it once, and relays each
// to all sockets but the sender's. No framing, no parsing, no order, no members, no marks.
#pragma once

namespace tidings::bench {

struct FanOutResult {
  double server_us_per_delivery = 0, server_us_per_message = 0;
  double p50_ms = 0, p99_ms = 0;  // from the time that it was to be sent to the arrival at a socket
};

// So many messages a second, one after another from each of the first `senders` of `people` sockets, whatever
// becomes of them; the relay on core 0, the load on core 1.
FanOutResult run_raw_fan_out(int people, int senders, double messages_per_second, double seconds);

}  // namespace tidings::bench
