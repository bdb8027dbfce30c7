// How `tidings` ends.
#pragma once

namespace tidings::cli {

enum Status : int {
  status_ok = 0,
  status_failed = 1,
  status_usage = 2,
  status_unreachable = 3,
  status_refused = 4
};

}  // namespace tidings::cli
