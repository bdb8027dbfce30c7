// What REST counts. The shards of a process share the counters.
#pragma once

#include <array>
#include <string>

#include "base/metrics.h"
#include "wire/codes.h"

namespace tidings::api {

struct Metrics {
  explicit Metrics(base::Registry& registry)
      : calls(registry.counter("tidings_api_calls_total", "REST calls.")),
        under_way(registry.gauge("tidings_api_calls_under_way", "REST calls that are not answered yet.")) {
    for (const auto& row : wire::codes) {
      refused_[static_cast<size_t>(row.code)] =
          &registry.counter("tidings_api_refused_total{code=\"" + std::string(row.name) + "\"}",
                            "REST calls answered with this code.");
    }
  }
  base::Counter& refused(wire::Code code) { return *refused_[static_cast<size_t>(code)]; }

  base::Counter& calls;
  base::Gauge& under_way;

 private:
  std::array<base::Counter*, wire::codes.size()> refused_{};
};

}  // namespace tidings::api
