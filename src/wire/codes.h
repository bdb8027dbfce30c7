// The one table of error and close codes (protocol.md §12). Everything that names a code to somebody (frames,
// REST, closes, metrics, docs/protocol/codes.md) is made from it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace tidings::wire {

// What a client does with an answer of this code.
enum class Retry : uint8_t {
  as_is,   // send the same again, after retry_ms if given
  change,  // correct something first
  never,   // final
};

// X(name, HTTP status, WebSocket close code or 0, retry, terminal for the connection, sentence for people)
#define TIDINGS_CODES(X)                                                                                    \
  X(bad_request, 400, 0, change, false, "The request is not well-formed.")                                  \
  X(unauthenticated, 401, 4401, change, true, "Please log in again.")                                       \
  X(token_expired, 401, 4401, change, true, "This log-in has expired; please log in again.")                \
  X(forbidden, 403, 0, never, false, "You may not do this.")                                                \
  X(not_found, 404, 0, never, false, "There is nothing here that you can see.")                             \
  X(not_member, 403, 0, never, false, "You are no longer in this conversation.")                            \
  X(too_large, 413, 1009, change, true, "This is larger than allowed.")                                     \
  X(limit, 422, 0, change, false, "A limit of this server is reached.")                                     \
  X(mode, 422, 0, change, false, "This kind of conversation does not allow it.")                            \
  X(client_id_conflict, 409, 0, never, false, "This client id was used for something else.")                \
  X(client_id_ahead, 422, 0, change, false, "The time in the client id is in the future; check the clock.") \
  X(exists, 409, 0, change, false, "This name is taken.")                                                   \
  X(expired, 410, 0, never, false, "This is too old to be sent again.")                                     \
  X(unsupported, 400, 0, change, false, "This server does not know this kind of request.")                  \
  X(banned, 403, 0, never, false, "You were banned from this conversation.")                                \
  X(rate_limited, 429, 0, as_is, false, "Too fast; please wait a moment.")                                  \
  X(busy, 503, 0, as_is, false, "The server is busy; please try again.")                                    \
  X(storage_full, 507, 0, as_is, false, "The server's disk is full; reading still works.")                  \
  X(slow_mode, 429, 0, as_is, false, "Slow mode is on here; please wait.")                                  \
  X(order, 409, 0, as_is, false, "An earlier message is missing; send from there.")                         \
  X(stale_members, 409, 0, change, false, "The members or devices have changed; encrypt again.")            \
  X(diverged, 409, 0, change, false, "Your copy is not this server's history; fetch it again.")             \
  X(reset, 410, 0, change, false, "This cursor is no longer known; start anew.")                            \
  X(hello_timeout, 408, 4408, as_is, false, "No hello in time.")                                            \
  X(slow_consumer, 429, 4429, as_is, false, "This connection reads too slowly.")                            \
  X(replaced, 409, 4409, never, true, "This device has connected elsewhere.")                               \
  X(draining, 503, 4503, as_is, false, "This server is going down; please reconnect.")                      \
  X(version, 426, 4426, never, true, "This client is too old or too new for the server.")                   \
  X(device_revoked, 403, 4403, never, true, "This device was logged out.")                                  \
  X(bad_frame, 400, 4400, never, true, "The connection broke the protocol.")                                \
  X(internal, 500, 1011, as_is, false, "Something went wrong on the server.")

enum class Code : uint8_t {
#define X(name, ...) name,
  TIDINGS_CODES(X)
#undef X
};

struct CodeRow {
  Code code;
  std::string_view name;  // also the metric label
  int http_status;
  uint16_t close_code;  // 0: never closes a connection
  Retry retry;
  bool terminal;  // a client that is closed with it does not reconnect by itself
  std::string_view sentence;
};

inline constexpr std::array codes{
#define X(name, http, close, retry, terminal, sentence) \
  CodeRow{Code::name, #name, http, close, Retry::retry, terminal, sentence},
    TIDINGS_CODES(X)
#undef X
};

constexpr const CodeRow& row(Code code) {
  return codes[static_cast<size_t>(code)];
}
constexpr std::string_view name(Code code) {
  return row(code).name;
}
constexpr std::optional<Code> code_named(std::string_view text) {
  for (const auto& r : codes) {
    if (r.name == text) return r.code;
  }
  return std::nullopt;
}

// A refused request: the code, and a sentence about this very case ("" = the table's sentence). Carries no
// content.
struct Problem {
  Code code = Code::internal;
  std::string detail;
  uint64_t retry_ms = 0;  // of a code to try again as it is: not before this; 0: nothing is said
};
template <class T>
using Answer = base::Result<T, Problem>;
inline base::Fail<Problem> problem(Code code, std::string detail = "") {
  return {Problem{code, std::move(detail)}};
}

}  // namespace tidings::wire
