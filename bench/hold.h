// Very many sessions that do nothing but heartbeats, at servers of several processes, and what they cost
// there: for idle and million.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "bench/cluster.h"

namespace tidings::bench {

// Sessions of one process, on either side.
inline constexpr size_t sessions_per_process_max = 19'000;

struct HoldPlan {
  const std::vector<Person>* people = nullptr;  // as many sessions
  size_t loads = 1;                             // one goes to one server
  bool tls = false;
  double seconds = 20;             // of heartbeats
  double messages_per_second = 0;  // meanwhile, of all loads, among the first `talkers` of each
  size_t talkers = 20;
};

struct HoldFigures {
  uint64_t sessions = 0, came_again = 0, sent = 0, delivered = 0;
  double connect_seconds = 0;
  // For each session; of the kernel for both ends of a connection.
  double bytes = 0, resident_bytes = 0, core_bytes = 0, kernel_bytes = 0, connect_us = 0, core_connect_us = 0;
  // A second and session, while they beat.
  double heartbeat_us = 0, core_heartbeat_us = 0;
  double load_connect_us = 0;
  double edge_mib = 0, core_mib = 0, slab_mib = 0;  // at the end
  double p50_ms = 0, p99_ms = 0;                    // from the time at which a message was due
};

// Connects all, waits, beats, and checks that everybody is still there and that each message arrived.
HoldFigures hold(const Cluster& cluster, const HoldPlan& plan);
// The same at so many raw servers.
HoldFigures hold_raw(size_t servers, const std::string& certificate, const std::string& key,
                     const HoldPlan& plan);

}  // namespace tidings::bench
