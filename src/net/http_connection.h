// One HTTP/1.1 connection of a listener: requests one after another, answers in their order, until it becomes
// a WebSocket or ends.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/address.h"
#include "net/http.h"
#include "net/http_parser.h"
#include "net/outbox.h"
#include "net/poller.h"
#include "net/stream.h"
#include "net/tls.h"
#include "net/websocket_connection.h"

namespace tidings::net {

// What the connections of one listener share and ask of it.
struct HttpService {
  Reactor& reactor;
  HttpHandler& handler;
  const base::Limits limits;
  std::string websocket_path;
  std::vector<std::string> origins;
  std::shared_ptr<const WebSocketKind> kind;
  std::shared_ptr<TlsIdentity> tls;  // null: without
  AddressList proxies;
  ForwardedBy forwarded_by;
  // Destroys the connection; its last wish, at the end of a turn.
  std::function<void(class HttpConnection&)> end;
};

// Bounded by itself: it reads at most one buffer beyond the request that is being answered, and answers no
// more requests while the peer does not take what is written.
class HttpConnection final : public Pollable {
 public:
  HttpConnection(HttpService& service, FileDescriptor socket, const Address& peer);
  ~HttpConnection() override;

 private:
  enum class Phase : uint8_t {
    greeting,  // a proxy that is believed may name its client first
    reading,   // a request, or waiting for one
    handling,  // the handler has the request; nothing is read
    ending,    // the last answer goes out
    draining,  // it is out; what the peer still sends is thrown away, so that the answer is not lost to a
               // reset
    done,      // closed or handed over; destroyed when the turn ends
  };
  struct Refusal {
    int status;
    std::string detail;
  };
  struct Token {
    HttpConnection* connection;
  };
  class Ticket;

  void on_ready(uint32_t events) override;
  void on_turn_end() override;
  void read();
  void read_greeting();
  // Goes on with what follows a proxy's header, if there was one.
  void begin();
  // The three below: false if this object may be gone.
  bool take_requests();
  bool handle(HttpRequest request);
  bool upgrade(const HttpRequest& request);
  // Who sent the request, as far as proxies are believed.
  Address client_of(const HttpRequest& request) const;
  bool wants_websocket(const HttpRequest& request) const;
  // Why an upgrade is refused, if it is.
  std::optional<Refusal> check_upgrade(const HttpRequest& request) const;
  void answer(const HttpResponse& response);
  void refuse(int status, std::string_view detail = "");
  void on_time_out();
  void set_timer(base::nanoseconds delay);
  void listen_for(uint32_t events);
  void finish();

  HttpService& service_;
  Stream socket_;
  Address peer_;
  Phase phase_ = Phase::greeting;
  bool begun_ = false;     // the next request has begun to arrive
  bool answered_ = false;  // one request at least
  bool keep_alive_ = false;
  bool head_ = false;
  bool has_seat_ = true;  // counts as one of connections_max
  uint32_t events_ = EPOLLIN;
  std::optional<HttpRequestParser> parser_;
  std::string input_;  // received, not yet taken by the parser; before that, of a proxy's header
  Outbox outbox_;
  std::shared_ptr<Token> token_;  // of the request that is being handled
  base::TimerId timer_ = 0;
  bool* gone_ = nullptr;
};

}  // namespace tidings::net
