// The connection to the server, kept up: opens a transport, says hello, pings, and when it breaks waits and
// tries again (back-off 0.5 s × 2^k, full jitter, cap 20 s; a server's hint wins) until a close says that
// trying is of no use. Knows only those frames that concern the connection itself. One executor; act() must
// be called at next() and after every callback of the host.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/transport.h"
#include "wire/frames.h"

namespace tidings::client {

enum class Connection {
  offline,     // waiting to try again, or stopped
  connecting,  // transport, hello
  syncing,     // welcomed, catching up
  online,
  refused,  // a terminal close: logged out, replaced, version; connect() tries anew
};

using OpenTransport = std::function<void(std::function<void(std::unique_ptr<ports::Transport>)> done)>;

class Line {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    virtual wire::Hello hello() = 0;
    // False: no honest server says this.
    virtual bool on_welcome(const wire::Welcome& welcome) = 0;
    // Anything but welcome and pong, after the welcome. False: no honest server sends this; the connection is
    // cut.
    virtual bool on_frame(const wire::ServerFrame& frame) = 0;
    // All frames of a message were handed over: so many of them count for acks.
    virtual void on_counted(uint64_t frames, size_t bytes) = 0;
    // How long the server may be silent when it owes an answer. More than usual while a large answer may fill
    // a slow link: all others wait behind it.
    virtual base::nanoseconds patience() const = 0;
    virtual void on_server_time(base::WallTime now) = 0;
    // The welcomed connection is no more.
    virtual void on_down() = 0;
    // The session is over for good, or has said what no honest server says: the next hello begins a new one.
    virtual void on_session_over() = 0;
    virtual void on_state(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) = 0;
    // Something came in, all of the above was called for it: act.
    virtual void on_turn() = 0;
  };

  Line(base::Executor& executor, ports::Clock& clock, ports::Random& random, OpenTransport open, Host& host);
  ~Line();

  void start();
  void stop();
  // After a welcome: the catch-up is over.
  void caught_up();
  // Dropped unless welcomed.
  void send(std::string_view frame);

  // Opens, pings and gives up as the time demands.
  void act(base::MonotonicTime now);
  std::optional<base::MonotonicTime> next() const;
  Connection state() const { return state_; }
  bool welcomed() const { return state_ == Connection::syncing || state_ == Connection::online; }

 private:
  // A transport and its handler; the handler outlives what the line thinks of it.
  struct Peer;

  void open();
  void opened(std::unique_ptr<ports::Transport> transport);
  void frame(std::string_view text);
  bool take(const wire::ServerFrame& frame);
  bool welcome(const wire::Welcome& welcome);
  void closed(uint16_t code, std::string_view reason);
  void broken(std::string_view reason);
  // Lets the transport go, politely if it still stands.
  void let_go(uint16_t code, std::string_view reason);
  void down(std::optional<wire::Code> why);
  void enter(Connection state, std::optional<wire::Code> why = {}, base::nanoseconds retry_in = {});
  void bury(Peer* peer);

  base::Executor& executor_;
  ports::Clock& clock_;
  ports::Random& random_;
  OpenTransport open_;
  Host& host_;

  Connection state_ = Connection::offline;
  bool wanted_ = false;
  std::unique_ptr<Peer> peer_;
  std::vector<std::unique_ptr<Peer>> leaving_;  // closed by us, until they say that they are
  std::shared_ptr<uint64_t> opening_;           // number of the newest try; callbacks hold it weakly
  std::optional<wire::Code> told_;              // the code of an error frame that came before a close
  std::optional<base::nanoseconds> hint_;       // and its retry_ms
  bool moved_ = false;                          // the server has asked to come back after `hint_`
  int tries_ = 0;
  base::nanoseconds heartbeat_{};
  base::MonotonicTime heard_at_;                // any frame
  std::optional<base::MonotonicTime> open_at_;  // offline, wanted
  std::optional<base::MonotonicTime>
      give_up_at_;  // connecting: no transport or no welcome until then; later: no frame at all
  std::optional<base::MonotonicTime> ping_at_;
};

}  // namespace tidings::client
