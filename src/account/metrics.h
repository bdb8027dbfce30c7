// What Accounts counts.
#pragma once

#include "base/metrics.h"

namespace tidings::account {

struct Metrics {
  explicit Metrics(base::Registry& registry)
      : devices(registry.gauge("tidings_account_devices")),
        removals_waiting(registry.gauge("tidings_account_removals_waiting")),
        failures_remembered(registry.gauge("tidings_account_log_in_failures_remembered")),
        log_ins(registry.counter("tidings_account_log_ins_total")),
        log_ins_wrong(registry.counter("tidings_account_log_ins_wrong_total")),
        log_ins_paused(registry.counter("tidings_account_log_ins_paused_total")),
        refreshes(registry.counter("tidings_account_refreshes_total")),
        refreshes_reused(registry.counter("tidings_account_refreshes_reused_total")),
        invites_refused(registry.counter("tidings_account_invites_refused_total")) {}

  base::Gauge& devices;
  base::Gauge& removals_waiting;
  base::Gauge& failures_remembered;
  base::Counter& log_ins;
  base::Counter& log_ins_wrong;
  base::Counter& log_ins_paused;
  base::Counter& refreshes;
  base::Counter& refreshes_reused;  // devices ended because of it
  base::Counter& invites_refused;   // beyond invites_max
};

}  // namespace tidings::account
