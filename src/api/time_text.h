// Times as REST writes them.
#pragma once

#include <string>

#include "base/time.h"

namespace tidings::api {

// RFC 3339 in UTC with milliseconds: "2026-11-22T07:21:45.123Z".
std::string time_text(base::WallTime time);

}  // namespace tidings::api
