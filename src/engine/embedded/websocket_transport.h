// A WebSocket as the Transport of a session: one text message is one frame.
#pragma once

#include <memory>

#include "net/websocket.h"
#include "ports/transport.h"

namespace tidings::embedded {

// Lives on the socket's reactor. No handler of the socket may be set before or after.
std::unique_ptr<ports::Transport> websocket_transport(std::unique_ptr<net::WebSocket> socket);

}  // namespace tidings::embedded
