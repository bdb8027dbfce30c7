// Invariants whose violation could lose or misdeliver a message are checked in release builds too: the
// process stops and says where. Nothing that a client, a disk or a peer can cause may trip one.
#pragma once

namespace tidings::base {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace tidings::base

#define TIDINGS_CHECK(condition) \
  ((condition) ? void() : ::tidings::base::check_failed(#condition, __FILE__, __LINE__))
