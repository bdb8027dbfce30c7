// What a gateway counts. The gateways of a process share the counters.
#pragma once

#include <array>
#include <string>

#include "base/metrics.h"
#include "wire/codes.h"

namespace tidings::gateway {

struct Metrics {
  explicit Metrics(base::Registry& registry)
      : sessions(registry.gauge("tidings_gateway_sessions")),
        parked(registry.gauge("tidings_gateway_sessions_parked")),
        parked_bytes(registry.gauge("tidings_gateway_parked_bytes")),
        pulling(registry.gauge("tidings_gateway_sessions_in_pull_mode")),
        unacked_bytes(registry.gauge("tidings_gateway_unacked_bytes")),
        hellos_waiting(registry.gauge("tidings_gateway_hellos_waiting")),
        resumed(registry.counter("tidings_gateway_resumed_total")),
        under_way(registry.gauge("tidings_gateway_requests_under_way")),
        frames_in(registry.counter("tidings_gateway_frames_in_total")),
        frames_out(registry.counter("tidings_gateway_frames_out_total")),
        marks_waiting(registry.gauge("tidings_gateway_marks_waiting")),
        marks_dropped(registry.counter("tidings_gateway_marks_dropped_total")),
        link_gaps(registry.counter("tidings_gateway_link_gaps_total")) {
    for (const auto& row : wire::codes) {
      refused_[static_cast<size_t>(row.code)] =
          &registry.counter("tidings_gateway_refused_total{code=\"" + std::string(row.name) + "\"}");
    }
  }
  // Requests answered with this code, and connections ended with it.
  base::Counter& refused(wire::Code code) { return *refused_[static_cast<size_t>(code)]; }

  base::Gauge& sessions;       // connections: of sessions, and of those who owe their hello
  base::Gauge& parked;         // sessions without a connection
  base::Gauge& parked_bytes;   // that they hold unacked
  base::Gauge& pulling;        // sessions in pull mode
  base::Gauge& unacked_bytes;  // of all sessions, as of the last second
  base::Gauge& hellos_waiting;
  base::Counter& resumed;
  base::Gauge& under_way;
  base::Counter& frames_in;
  base::Counter& frames_out;
  base::Gauge& marks_waiting;    // derived from acks: not yet answered, or resting for their second
  base::Counter& marks_dropped;  // beyond Limits::marks_waiting_max
  base::Counter& link_gaps;

 private:
  std::array<base::Counter*, wire::codes.size()> refused_{};
};

}  // namespace tidings::gateway
