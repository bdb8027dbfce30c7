// Very many WebSocket sessions of one thread on a bare epoll set, so that the load does not cost what the
// server costs: frames are handed on as bytes. It answers no pings; the server sends none. Certificates are
// not looked at.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/epoll.h>

#include "bench/real_server.h"
#include "client/cpp/acks.h"
#include "net/file_descriptor.h"
#include "net/stream.h"
#include "wire/frames.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace tidings::bench {

class Swarm {
 public:
  enum class Stage : uint8_t { none, connecting, upgrading, greeting, open };
  struct Session {
    uint32_t number = 0;
    Stage stage = Stage::none;
    net::Stream socket;
    std::string partial;  // the beginning of a frame
    std::string out;      // of this turn, or waiting for the end of a handshake
    client::Acks acks;
  };
  // A frame of an open session; the welcome is the first one, or an error instead of it. Counted frames are
  // acknowledged by the swarm.
  std::function<void(Session&, std::string_view)> on_frame;
  // A connection that the server has closed, or never took. Without it: the end of the program.
  std::function<void(Session&)> on_lost;

  explicit Swarm(bool tls = false);
  ~Swarm();
  // The session of a person; it is not connected yet.
  Session& add(const Person& person);
  size_t size() const { return sessions_.size(); }
  size_t open_count() const { return open_; }
  Session& at(size_t number) { return sessions_[number]; }

  // Connects, upgrades and says hello, a bounded number at a time, one after another in the next turns.
  void connect(Session& session, uint16_t port);
  void connect_later(Session& session, uint16_t port, base::nanoseconds delay);
  // All of one turn goes in one write.
  void send(Session& session, std::string_view frame);
  // Cuts without a word.
  void cut(Session& session);
  // Likewise, and the peer's machine is told that the connection is broken.
  void reset(Session& session);
  // Waits at most so long for sockets, and takes what they bring.
  void turn(int timeout_ms);
  // What `hello` says besides the token.
  std::function<void(Session&, wire::Hello&)> on_hello;

  size_t connects_at_once = 128;
  bool acknowledges = true;
  bool heartbeats = false;  // each session pings once in heartbeat_interval
  static constexpr base::nanoseconds heartbeat_interval = std::chrono::seconds(30);

 private:
  void begin_connect(Session& session, uint16_t port);
  void on_ready(Session& session, uint32_t events);
  void read(Session& session);
  void take(Session& session, std::string_view bytes);
  void take_frame(Session& session, std::string_view frame);
  void write(Session& session);
  void lost(Session& session);
  void flush();
  void acknowledge_some();
  void ping_some();

  ssl_ctx_st* tls_ = nullptr;
  net::FileDescriptor poll_;
  std::deque<Session> sessions_;  // addresses stay
  std::vector<std::string> tokens_;
  std::deque<std::pair<Session*, uint16_t>> waiting_;
  std::multimap<base::MonotonicTime, std::pair<Session*, uint16_t>> later_;
  std::vector<Session*> unsent_;
  size_t under_way_ = 0, open_ = 0, ack_turn_ = 0;
  base::MonotonicTime time_{}, acked_at_{};  // of the turn, of the last acknowledgements
  base::MonotonicTime pinged_at_{};          // up to then all pings that were due are sent
  size_t ping_next_ = 0;
  std::vector<epoll_event> events_;
  std::vector<char> buffer_;
};

}  // namespace tidings::bench
