// The port for operators of a process (api/operators.h), if its configuration names one.
#pragma once

#include <functional>
#include <memory>

#include "api/operators.h"
#include "base/log_line.h"
#include "server/config.h"

namespace tidings::server {

// Destroyed after its reactor stopped.
class OperatorsListening {
 public:
  // Nothing to listen at is no failure.
  base::Status open(net::Reactor& reactor, const Config& config, const base::Registry& metrics,
                    std::function<bool()> ready) {
    if (config.operators_host.empty()) return {};
    handler_ = std::make_unique<api::Operators>(
        api::Operators::Parts{metrics, config.metrics_token, std::move(ready)});
    auto opened = net::HttpServer::listen(reactor, *handler_,
                                          {.host = config.operators_host,
                                           .port = config.operators_port,
                                           .websocket_path = "",
                                           .limits = &config.limits,
                                           .proxies = config.proxies,
                                           .forwarded_by = config.forwarded_by});
    if (!opened) return base::fail(opened.error());
    listener_ = std::move(*opened);
    base::log_info("operators are answered at {}", listen_text(config.operators_host, listener_->port()));
    return {};
  }

 private:
  std::unique_ptr<api::Operators> handler_;
  std::unique_ptr<net::HttpServer> listener_;
};

}  // namespace tidings::server
