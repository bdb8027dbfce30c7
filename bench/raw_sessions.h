// The floor under a return: the least that any server must do. One epoll thread accepts, answers an upgrade
// with the same bytes for everybody, and whatever is sent then with the same frames for everybody, in one
// send(). No parsing, no tokens, no people.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidings::bench {

// `sessions` connect at once, as a Swarm does; each gets a welcome and `frames` frames of `frame_bytes`.
// Microseconds of the server, which shares all cores with the load, for each.
double raw_session_us(size_t sessions, size_t frames, size_t frame_bytes);

}  // namespace tidings::bench
