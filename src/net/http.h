// HTTP/1.1 as values, a server for it, and a small client. Beast's parser is inside http_parser.cc only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/task.h"
#include "net/address.h"
#include "net/reactor.h"
#include "net/tls.h"
#include "net/websocket.h"

namespace tidings::net {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;
// The first header of that name (any case), or nullptr.
const std::string* find_header(const HttpHeaders& headers, std::string_view name);

struct HttpRequest {
  std::string method;
  std::string path;   // percent-decoded, without the query
  std::string query;  // as it came, without '?'
  HttpHeaders headers;
  std::string body;
  std::string peer;  // address, without port; the client's, if a proxy that is believed named it
};
// The value of a query parameter, percent-decoded; nullopt if absent.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;  // content-length is added
  std::string body;
};

// Called once, on the same reactor, now or later; not at all is a bug that closes the connection.
using HttpReply = base::UniqueFunction<void(HttpResponse)>;

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  virtual void on_request(HttpRequest request, HttpReply reply) = 0;
  // The answer to an upgrade: the path and subprotocols to accept. An upgrade elsewhere gets 404, one without
  // a common subprotocol 400. An upgrade to something else than a WebSocket is ignored: an ordinary request.
  virtual void on_websocket(std::unique_ptr<WebSocket> socket) = 0;
  // What the server answers by itself (bad request, header or body too large, time-out), as problem+json or
  // plain text. `detail` says what to do about it, in a sentence; empty if the status says it all.
  virtual HttpResponse refusal(int status, std::string_view detail) = 0;
};

enum class ForwardedBy : uint8_t { x_forwarded_for, forwarded };  // the second as RFC 7239

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  std::string websocket_path = "/v1/ws";
  std::string subprotocol;  // the one accepted; "": any request is accepted, without one
  // Web pages that may open a WebSocket, each as the header Origin names it; other origins get 403. A request
  // without Origin is no browser's.
  std::vector<std::string> origins;
  bool takes_binary = false;                             // messages
  WebSocketClose on_binary{1003, "only text is taken"};  // how a socket that sends a binary message ends
  WebSocketCompression compression = WebSocketCompression::off;
  const base::Limits* limits = nullptr;  // the defaults if null
  // A listener of this process already has the port: share it. Without this a port that anybody listens on is
  // refused.
  bool joins = false;
  // Connections of the process, counted against Limits::connections_max by all listeners that are given the
  // same gauge.
  std::shared_ptr<base::Gauge> connections;
  std::shared_ptr<TlsIdentity> tls;  // null: without TLS
  // Who is believed when it says whom it speaks for: by a header of the PROXY protocol (version 2) before
  // anything else, or in a request by the header that it sets.
  AddressList proxies;
  ForwardedBy forwarded_by = ForwardedBy::x_forwarded_for;
};

// Listens on one reactor. With the same port on several reactors (SO_REUSEPORT) the kernel spreads the
// connections.
class HttpServer {
 public:
  // Resolves `host` by waiting for it: at the start of a process. Thread: any; the handler is called on the
  // reactor's.
  static base::Result<std::unique_ptr<HttpServer>> listen(Reactor& reactor, HttpHandler& handler,
                                                          HttpServerOptions options);
  virtual ~HttpServer() = default;  // on the reactor's thread or after its stop(): closes all connections
  virtual uint16_t port() const = 0;
  // No new connections; those that there are go on. Thread: the reactor's.
  virtual void stop_accepting() = 0;
};

// One request on its own connection; `done` runs on the reactor: the response, or why there is none in a
// sentence. Time-out 30 s. With `tls` by https.
void http_request(Reactor& reactor, const std::string& host, uint16_t port, HttpRequest request,
                  std::function<void(base::Result<HttpResponse>)> done,
                  std::shared_ptr<TlsTrust> tls = nullptr);

}  // namespace tidings::net
