// A WebSocket to a server as a Transport. One reactor.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "net/websocket.h"
#include "ports/transport.h"

namespace tidings::client {

// Where a server listens.
struct Address {
  std::string host = "127.0.0.1";
  uint16_t port = 65100;
  std::shared_ptr<net::TlsTrust> tls = nullptr;  // null: without TLS
  friend bool operator==(const Address&, const Address&) = default;
};
// "HOST:PORT", "HOST" (the default port) or "[IPv6]:PORT", or one of these behind ws:// or http:// (port 80)
// or, for TLS, wss:// or https:// (443). `roots_path`: a PEM file of the certificates that are believed; "":
// those of the system.
base::Result<Address> parse_address(const std::string& text, const std::string& roots_path = "");
// As parse_address() reads it.
std::string to_text(const Address& address);

// Opens one; `done` later on the reactor, nullptr if it could not be.
void open_websocket(net::Reactor& reactor, const Address& address,
                    std::function<void(std::unique_ptr<ports::Transport>)> done);

}  // namespace tidings::client
