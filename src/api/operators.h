// What operators ask of a process at an address of its own (`server.operators`): GET /metrics, /livez,
// /readyz and nothing else. A core without gateways has no other port, and who runs gateways may want none of
// this on theirs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "net/http.h"

namespace tidings::api {

inline constexpr const char* metrics_type = "text/plain; version=0.0.4; charset=utf-8";

// Who may read metrics: who says `token` as a bearer, or is on this machine and was brought by no proxy.
bool may_read_metrics(const net::HttpRequest& request, const std::string& token);

// Thread: of the reactor that it listens on.
class Operators final : public net::HttpHandler {
 public:
  struct Parts {
    const base::Registry& metrics;
    std::string metrics_token;    // "": only who is on this machine
    std::function<bool()> ready;  // writes are accepted
  };
  explicit Operators(Parts parts) : parts_(std::move(parts)) {}

  void on_request(net::HttpRequest request, net::HttpReply reply) override;
  // There is no path for it.
  void on_websocket(std::unique_ptr<net::WebSocket>) override {}
  net::HttpResponse refusal(int status, std::string_view detail) override;

 private:
  net::HttpResponse answer(const net::HttpRequest& request) const;

  const Parts parts_;
};

}  // namespace tidings::api
