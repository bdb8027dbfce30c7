// What the log counts.
#pragma once

#include "base/metrics.h"

namespace tidings::embedded {

struct LogMetrics {
  explicit LogMetrics(base::Registry& registry)
      : records(registry.counter("tidings_embedded_log_records_total")),
        groups(registry.counter("tidings_embedded_log_groups_total")),
        bytes(registry.counter("tidings_embedded_log_written_bytes_total")),
        segments(registry.counter("tidings_embedded_log_segments_total")),
        refused(registry.counter("tidings_embedded_log_refused_total")),
        clock_alarms(registry.counter("tidings_embedded_log_clock_alarms_total")),
        queue_bytes(registry.gauge("tidings_embedded_log_queue_bytes")) {}

  base::Counter& records;  // synced
  base::Counter& groups;
  base::Counter& bytes;         // of groups, with their headers
  base::Counter& segments;      // begun by this process
  base::Counter& refused;       // appends, because too much waited
  base::Counter& clock_alarms;  // the wall clock began to disagree by more than a minute
  base::Gauge& queue_bytes;     // taken and not yet handed on
};

}  // namespace tidings::embedded
