#include "test/faults/slow_connections.h"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "net/websocket_codec.h"
#include "wire/frames.h"

namespace tidings::faults {
namespace {

constexpr int receive_buffer_bytes = 4096;
constexpr int patience_ms = 20'000;

base::Status failure(const char* what) {
  return base::failure(std::string(what) + ": " + std::strerror(errno));
}

// Until the text has come.
base::Status read_until(int socket, std::string_view text) {
  std::string got;
  char buffer[512];
  while (got.find(text) == got.npos) {
    pollfd ready{socket, POLLIN, 0};
    if (poll(&ready, 1, patience_ms) <= 0) return base::failure("no answer to a slow client");
    const ssize_t n = recv(socket, buffer, sizeof buffer, 0);
    if (n <= 0) return base::failure("a slow client is refused: " + got);
    got.append(buffer, static_cast<size_t>(n));
  }
  return {};
}

base::Status say(int socket, std::string_view bytes) {
  if (send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
    return failure("send");
  return {};
}

}  // namespace

base::Status SlowConnections::add(uint16_t port, const std::string& token) {
  net::FileDescriptor own(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!own) return failure("socket");
  setsockopt(own.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(own.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failure("connect");
  if (auto said = say(own.get(),
                      "GET /v1/ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                      "Sec-WebSocket-Protocol: " +
                          std::string(wire::subprotocol_json) + "\r\n\r\n");
      !said.ok())
    return said;
  if (auto upgraded = read_until(own.get(), "\r\n\r\n"); !upgraded.ok()) return upgraded;
  wire::Hello hello;
  hello.token = token;
  hello.app = "slow";
  std::string frame;
  net::append_frame(frame, net::WebSocketOpcode::text, wire::encode(hello), 0x5aa5c33c);
  if (auto said = say(own.get(), frame); !said.ok()) return said;
  if (auto welcomed = read_until(own.get(), "\"welcome\""); !welcomed.ok()) return welcomed;
  sockets_.push_back(std::move(own));
  return {};
}

SlowConnections::Ends SlowConnections::read_to_the_end() {
  Ends ends;
  const std::string code = net::close_payload(wire::row(wire::Code::slow_consumer).close_code, "");
  for (const auto& own : sockets_) {
    char buffer[16 * 1024];
    std::string tail;
    for (;;) {
      pollfd ready{own.get(), POLLIN, 0};
      if (poll(&ready, 1, 2000) <= 0) break;
      const ssize_t n = recv(own.get(), buffer, sizeof buffer, 0);
      if (n <= 0) {
        ++ends.ended;
        ends.told += tail.find(code + "slow_consumer") != tail.npos;
        break;
      }
      tail = tail.substr(tail.size() - std::min<size_t>(tail.size(), 200)) +
             std::string(buffer, static_cast<size_t>(n));
    }
  }
  return ends;
}

}  // namespace tidings::faults
