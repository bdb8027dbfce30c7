// What waits in Links, of one process and between processes; the ends of a process share the gauges.
#pragma once

#include "base/metrics.h"

namespace tidings::server {

inline base::Gauge& link_up_bytes(base::Registry& metrics) {
  return metrics.gauge("tidings_gateway_link_up_bytes", "Frames on their way to core shards.");
}
inline base::Gauge& link_down_bytes(base::Registry& metrics) {
  return metrics.gauge("tidings_gateway_link_down_bytes", "Frames on their way to gateways.");
}

}  // namespace tidings::server
