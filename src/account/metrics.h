// What Accounts counts.
#pragma once

#include "base/metrics.h"

namespace tidings::account {

struct Metrics {
  explicit Metrics(base::Registry& registry)
      : devices(registry.gauge("tidings_account_devices", "Devices that are logged in.")),
        removals_waiting(registry.gauge("tidings_account_removals_waiting",
                                        "Devices logged out while that is not written down yet.")),
        hashes_waiting(registry.gauge("tidings_account_password_hashes_waiting",
                                      "Passwords that wait to be hashed or are being hashed.")),
        seen_waiting(registry.gauge("tidings_account_seen_waiting",
                                    "Devices whose last use is not written down yet.")),
        queries_under_way(
            registry.gauge("tidings_account_queries_under_way", "Questions about people under way.")),
        failures_remembered(
            registry.gauge("tidings_account_log_in_failures_remembered",
                           "Handles and addresses with wrong passwords that are remembered.")),
        log_ins(registry.counter("tidings_account_log_ins_total", "Log-ins that succeeded.")),
        log_ins_wrong(registry.counter("tidings_account_log_ins_wrong_total",
                                       "Log-ins with a wrong password or an unknown handle.")),
        log_ins_paused(registry.counter("tidings_account_log_ins_paused_total",
                                        "Log-ins refused because of wrong passwords before.")),
        refreshes(registry.counter("tidings_account_refreshes_total", "Tokens refreshed.")),
        refreshes_reused(registry.counter("tidings_account_refreshes_reused_total",
                                          "Devices logged out because a refresh token was used twice.")),
        invites_refused(registry.counter("tidings_account_invites_refused_total",
                                         "Invites refused because the person has too many.")) {}

  base::Gauge& devices;
  base::Gauge& removals_waiting;
  base::Gauge& hashes_waiting;
  base::Gauge& seen_waiting;
  base::Gauge& queries_under_way;
  base::Gauge& failures_remembered;
  base::Counter& log_ins;
  base::Counter& log_ins_wrong;
  base::Counter& log_ins_paused;
  base::Counter& refreshes;
  base::Counter& refreshes_reused;  // devices ended because of it
  base::Counter& invites_refused;   // beyond invites_max
};

}  // namespace tidings::account
