// A process of gateways alone: sessions and REST of the core at Config::core.
#pragma once

#include "server/server.h"

namespace tidings::server {

base::Result<std::unique_ptr<Server>> start_gateways(const Config& config,
                                                     std::function<void(std::string)> fatal,
                                                     const std::function<bool()>& interrupted);

}  // namespace tidings::server
