// REST (protocol.md §13): what an HTTP request asks of accounts and gateway, and the answer as JSON. One per
// shard, on its executor. The rooms *_api hold the routes, a noun each; a refusal is problem+json with a code
// of the one table.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "account/service.h"
#include "api/router.h"
#include "base/executor.h"
#include "base/limits.h"
#include "gateway/gateway.h"
#include "net/http.h"
#include "ports/clock.h"
#include "ports/random.h"

namespace tidings::api {

class Api : public net::HttpHandler {
 public:
  struct Parts {
    gateway::Gateway& gateway;  // of the same shard
    account::Service& accounts;
    base::Executor& executor;  // of the shard
    ports::Clock& clock;
    ports::Random& random;
    const base::Limits& limits;
    std::function<bool()> ready;  // writes are accepted
    std::function<void(std::unique_ptr<net::WebSocket>)> on_socket;
    std::string version = {};           // "": of this build
    base::Registry* metrics = nullptr;  // of the process; one of its own if null
    std::string metrics_token = {};     // with it anybody may read /metrics; "": only who is on this machine
  };
  explicit Api(Parts parts);

  void on_request(net::HttpRequest request, net::HttpReply reply) override;
  void on_websocket(std::unique_ptr<net::WebSocket> socket) override { parts_.on_socket(std::move(socket)); }
  net::HttpResponse refusal(int status, std::string_view detail) override;

 private:
  Parts parts_;
  std::unique_ptr<base::Registry> own_registry_;
  Metrics metrics_;
  Router router_;
  // An answer of accounts may come when this is gone, and a call may wait for one still.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidings::api
