// What the log counts.
#pragma once

#include "base/metrics.h"

namespace tidings::embedded {

struct LogMetrics {
  explicit LogMetrics(base::Registry& registry)
      : records(registry.counter("tidings_embedded_log_records_total", "Records written to the log.")),
        groups(registry.counter("tidings_embedded_log_groups_total", "Groups written, each with one sync.")),
        bytes(registry.counter("tidings_embedded_log_written_bytes_total", "Bytes written to the log.")),
        segments(registry.counter("tidings_embedded_log_segments_total", "Files of the log begun.")),
        trimmed(registry.counter("tidings_embedded_log_trimmed_segments_total",
                                 "Files of the log removed, being needed no more.")),
        refused(registry.counter("tidings_embedded_log_refused_total",
                                 "Appends refused because too much waited to be written.")),
        clock_alarms(registry.counter("tidings_embedded_log_clock_alarms_total",
                                      "Times that the wall clock and the log disagreed.")),
        refused_full(registry.counter("tidings_embedded_log_refused_full_total",
                                      "Appends refused because the disk is full.")),
        queue_bytes(
            registry.gauge("tidings_embedded_log_queue_bytes", "Bytes appended and not yet written.")),
        disk_bytes(registry.gauge("tidings_embedded_log_bytes", "Bytes of the files of the log.")),
        disk_segments(registry.gauge("tidings_embedded_log_segments", "Files of the log.")) {}

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
