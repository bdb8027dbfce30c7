// What a gateway counts. The gateways of a process share the counters.
#pragma once

#include <array>
#include <string>

#include "base/metrics.h"
#include "wire/codes.h"

namespace tidings::gateway {

struct Metrics {
  explicit Metrics(base::Registry& registry)
      : sessions(registry.gauge("tidings_gateway_sessions", "Connections of devices, welcomed or not.")),
        parked(registry.gauge("tidings_gateway_sessions_parked", "Sessions without a connection.")),
        parked_bytes(registry.gauge("tidings_gateway_parked_bytes", "What parked sessions hold unacked.")),
        pulling(registry.gauge("tidings_gateway_sessions_in_pull_mode",
                               "Sessions that are told later what they were not sent.")),
        unacked_bytes(registry.gauge("tidings_gateway_unacked_bytes",
                                     "What all sessions hold unacked, as of the last second.")),
        outbox_bytes(registry.gauge("tidings_gateway_outbox_bytes",
                                    "What waits for the sockets of all sessions, as of the last second.")),
        dirty_conversations(
            registry.gauge("tidings_gateway_dirty_conversations",
                           "Conversations that sessions are to be told later, as of the last second.")),
        places(registry.gauge("tidings_gateway_places_waiting",
                              "Places that wait for the acks of sessions, as of the last second.")),
        unsettled(registry.gauge(
            "tidings_gateway_unsettled_conversations",
            "Conversations that sessions were listed and have not pulled, as of the last second.")),
        polls_waiting(registry.gauge("tidings_gateway_polls_waiting",
                                     "Long-poll calls that wait, as of the last second.")),
        polls_elsewhere(registry.gauge("tidings_gateway_polls_elsewhere",
                                       "Those whose session is at another shard, as of the last second.")),
        hellos_in_flight(registry.gauge("tidings_gateway_hellos_in_flight",
                                        "Hellos that are being checked, as of the last second.")),
        hellos_waiting(registry.gauge("tidings_gateway_hellos_waiting", "Hellos that wait to be checked.")),
        polls_replaced(
            registry.gauge("tidings_gateway_polls_replaced",
                           "Replaced sessions of long-polls whose clients are told with their next call.")),
        resumed(registry.counter("tidings_gateway_resumed_total", "Sessions that went on by resume.")),
        dirty(registry.counter("tidings_gateway_dirty_total",
                               "Times that a session was told what it was not sent.")),
        under_way(registry.gauge("tidings_gateway_requests_under_way",
                                 "Questions and commands that the core has not answered yet.")),
        frames_in(registry.counter("tidings_gateway_frames_in_total", "Frames that clients sent.")),
        frames_out(registry.counter("tidings_gateway_frames_out_total", "Frames written to clients.")),
        told_whole(registry.counter("tidings_gateway_told_whole_total",
                                    "Times that a session of many was told what came for all in one piece.")),
        told_singly(registry.counter("tidings_gateway_told_singly_total",
                                     "Times that it was told event by event, having no room, say.")),
        audiences(registry.gauge("tidings_gateway_audiences",
                                 "Groups of people whose sessions are remembered, as of the last second.")),
        marks_waiting(registry.gauge(
            "tidings_gateway_marks_waiting",
            "Delivered marks derived from acks that are not answered yet, or rest for their second.")),
        marks_dropped(registry.counter("tidings_gateway_marks_dropped_total",
                                       "Delivered marks dropped because too many waited.")),
        link_gaps(registry.counter("tidings_gateway_link_gaps_total",
                                   "Times that frames of a link were lost because too many waited.")),
        durable_to_tick(registry.histogram("tidings_gateway_durable_to_tick_seconds",
                                           "From a command's record being durable to its answer, the tick, "
                                           "being handed to the socket.")),
        tick_to_delivered(registry.histogram("tidings_gateway_tick_to_delivered_seconds",
                                             "From an event being folded to it being handed to the sockets "
                                             "of a gateway.")) {
    for (const auto& row : wire::codes) {
      refused_[static_cast<size_t>(row.code)] =
          &registry.counter("tidings_gateway_refused_total{code=\"" + std::string(row.name) + "\"}",
                            "Requests of sessions answered with this code, and connections ended with it.");
    }
  }
  // Requests answered with this code, and connections ended with it.
  base::Counter& refused(wire::Code code) { return *refused_[static_cast<size_t>(code)]; }

  base::Gauge& sessions;      // connections: of sessions, and of those who owe their hello
  base::Gauge& parked;        // sessions without a connection
  base::Gauge& parked_bytes;  // that they hold unacked
  base::Gauge& pulling;       // sessions in pull mode
  // Of all sessions, connections and calls, as of the last second:
  base::Gauge& unacked_bytes;
  base::Gauge& outbox_bytes;
  base::Gauge& dirty_conversations;
  base::Gauge& places;
  base::Gauge& unsettled;
  base::Gauge& polls_waiting;
  base::Gauge& polls_elsewhere;
  base::Gauge& hellos_in_flight;
  base::Gauge& hellos_waiting;
  base::Gauge& polls_replaced;  // sessions whose client is told with its next call
  base::Counter& resumed;
  base::Counter& dirty;  // frames
  base::Gauge& under_way;
  base::Counter& frames_in;
  base::Counter& frames_out;
  base::Counter& told_whole;   // sessions, each time
  base::Counter& told_singly;  // likewise
  base::Gauge& audiences;
  base::Gauge& marks_waiting;    // derived from acks: not yet answered, or resting for their second
  base::Counter& marks_dropped;  // beyond Limits::marks_waiting_max
  base::Counter& link_gaps;
  base::Histogram& durable_to_tick;
  base::Histogram& tick_to_delivered;

 private:
  std::array<base::Counter*, wire::codes.size()> refused_{};
};

// What one gateway adds to the gauges of sums.
struct Sums {
  explicit Sums(Metrics& metrics)
      : unacked_bytes(metrics.unacked_bytes),
        outbox_bytes(metrics.outbox_bytes),
        dirty_conversations(metrics.dirty_conversations),
        places(metrics.places),
        unsettled(metrics.unsettled),
        polls_waiting(metrics.polls_waiting),
        polls_elsewhere(metrics.polls_elsewhere),
        hellos_in_flight(metrics.hellos_in_flight),
        audiences(metrics.audiences) {}

  base::GaugePart unacked_bytes, outbox_bytes, dirty_conversations, places, unsettled, polls_waiting,
      polls_elsewhere, hellos_in_flight, audiences;
};

}  // namespace tidings::gateway
