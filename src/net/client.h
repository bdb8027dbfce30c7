// One request over one new TCP connection: what connect_websocket and http_request have in common.
#pragma once

#include <functional>
#include <string>

#include "net/address.h"
#include "net/http.h"
#include "net/stream.h"

namespace tidings::net {

struct Exchanged {
  HttpResponse response;
  Stream socket;     // still connected after a 101
  std::string rest;  // received behind the response
  Address peer;
};

struct Exchange {
  std::string host;
  uint16_t port = 0;
  std::string request;  // its bytes
  bool without_body = false;
  base::nanoseconds timeout{};
  std::shared_ptr<TlsTrust> tls;
};

// `done` runs once on the reactor, never inside the call; not at all if the reactor stops before. Thread:
// any.
void exchange(Reactor& reactor, Exchange what, std::function<void(base::Result<Exchanged>)> done);

}  // namespace tidings::net
