#include "server/server.h"

#include "server/core_server.h"
#include "server/gateway_server.h"

namespace tidings::server {

base::Result<std::unique_ptr<Server>> Server::start(const Config& config,
                                                    std::function<void(std::string)> fatal,
                                                    const std::function<bool()>& interrupted) {
  return config.role == Role::gateway ? start_gateways(config, std::move(fatal), interrupted)
                                      : start_core(config, std::move(fatal), interrupted);
}

}  // namespace tidings::server
