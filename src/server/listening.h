// Where clients come in: REST and WebSockets of each gateway of a process, on one port.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/api.h"
#include "base/thread_executor.h"
#include "net/http.h"
#include "net/reactor.h"
#include "net/tls.h"
#include "server/config.h"
#include "server/gateway_node.h"

namespace tidings::server {

// Destroyed after its reactors stopped.
class Listening {
 public:
  struct Parts {
    std::vector<net::Reactor*> reactors;  // one per gateway
    GatewayNode& gateways;
    account::Service& accounts;
    ports::Clock& clock;
    ports::Random& random;
    const Config& config;
    base::Registry& metrics;             // outlives the listeners
    std::function<bool()> takes_writes;  // any reactor's thread
  };
  static base::Result<std::unique_ptr<Listening>> open(Parts parts);

  // "127.0.0.1:65100", with the port that the system chose if it was 0.
  std::string address() const;
  // Thread: any.
  void stop_accepting();

 private:
  explicit Listening(Parts parts) : parts_(std::move(parts)) {}
  base::Status load_certificate();
  void watch_certificate();

  const Parts parts_;
  uint16_t port_ = 0;
  std::vector<std::unique_ptr<api::Api>> apis_;
  std::shared_ptr<net::TlsIdentity> tls_;  // null: without
  std::vector<std::unique_ptr<net::HttpServer>> listeners_;
  std::unique_ptr<base::ThreadExecutor> certificate_thread_;  // looks at its files, and may wait for the disk
};

}  // namespace tidings::server
