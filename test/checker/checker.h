// The history checker (reliability.md, "History checker"): judges a history by the laws that the docs name,
// in linear time. It knows nothing of the server; whoever broke a law is found by the client-side records
// alone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "test/checker/history.h"

namespace tidings::checker {

enum class Law : uint8_t {
  kept,        // no ticked message is lost
  is_true,     // "true": nothing shown that nobody sent, nothing corrupt, nothing that was finally refused
  once,        // stored once, shown once per device
  order,       // one dense order for all observers; it respects real time and each device's order of sending
  contiguous,  // displays and pages cover every seq
  branch,      // after a restore nobody keeps what the new branch lacks, none misses what it has
  same_fold,   // equal hashes
  recovers,    // after everything is healed, everything comes to an end
  answered,    // what was under way when a process died is answered within the time that was given
  marks,   // read and delivered only grow, never beyond what is there and what a device showed, and arrive
  unread,  // what is shown as unread is what brute force counts
  is_private,  // "private": nobody has an event from outside of their membership
  same_state,  // "same state": all devices of a person show the same; the own log lists every membership
};
inline constexpr size_t law_count = 13;
std::string_view name(Law law);

struct Verdict {
  std::array<uint64_t, law_count> counts{};
  std::string first;  // the first violation in plain words, with the law's name; "" if there is none
  uint64_t acked = 0;

  uint64_t violations() const;
  uint64_t count(Law law) const { return counts[static_cast<size_t>(law)]; }
  // "kept 0, true 0, once 2, …"
  std::string counts_text() const;
};

Verdict check(const History& history);

}  // namespace tidings::checker
