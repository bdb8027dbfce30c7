// A process with a core: alone, or with gateways of its own; other gateway processes may come to both.
#pragma once

#include "server/server.h"

namespace tidings::server {

base::Result<std::unique_ptr<Server>> start_core(const Config& config, std::function<void(std::string)> fatal,
                                                 const std::function<bool()>& interrupted);

}  // namespace tidings::server
