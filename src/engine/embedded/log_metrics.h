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
        trimmed(registry.counter("tidings_embedded_log_trimmed_segments_total")),
        refused(registry.counter("tidings_embedded_log_refused_total")),
        clock_alarms(registry.counter("tidings_embedded_log_clock_alarms_total")),
        refused_full(registry.counter("tidings_embedded_log_refused_full_total")),
        queue_bytes(registry.gauge("tidings_embedded_log_queue_bytes")),
        disk_bytes(registry.gauge("tidings_embedded_log_bytes")),
        disk_segments(registry.gauge("tidings_embedded_log_segments")) {}

  base::Counter& records;  // synced
  base::Counter& groups;
  base::Counter& bytes;         // of groups, with their headers
  base::Counter& segments;      // begun by this process
  base::Counter& trimmed;       // removed by this process
  base::Counter& refused;       // appends, because too much waited
  base::Counter& clock_alarms;  // the wall clock began to disagree by more than a minute
  base::Counter& refused_full;  // appends, because the disk is full
  base::Gauge& queue_bytes;     // taken and not yet handed on
  base::Gauge& disk_bytes;      // reserved for the log
  base::Gauge& disk_segments;   // that there are
};

}  // namespace tidings::embedded
