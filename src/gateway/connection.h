// One connection of a client: its hello, and then the way of bytes to and from its session, which may outlive
// it. Who is over is destroyed a little later.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/gateway.h"
#include "ports/transport.h"

namespace tidings::gateway {

class Poll;
class Session;
class Train;
struct Shared;

// A frame that waits: for the welcome, or for a look-up of an earlier one.
struct Held {
  base::Result<wire::ClientFrame, wire::FrameProblem> frame;
  size_t bytes;
};

// What a connection has said until it is welcomed.
struct Greeting {
  wire::Hello hello;
  base::MonotonicTime time{};  // when the connection was opened
  account::Identity who;       // once it is checked
  std::vector<Held> held;
  size_t held_bytes = 0;
};

class Connection final : public ports::Transport::Handler {
 public:
  Connection(Shared& shared, uint64_t number, std::unique_ptr<ports::Transport> transport);

  void on_frame(std::string_view message) override;
  void on_closed(uint16_t code, std::string_view reason) override;

  // It says hello, as a frame or as the call of a poll: admitted in its turn, or ended.
  void greet(wire::Hello hello);
  // Its hello was said on another shard.
  void enter(std::unique_ptr<Greeting> greeting);
  // The token of its hello is looked at now. False: it is not in line for that.
  bool check();
  // Time-outs before the welcome; called about once a second.
  void on_tick(base::MonotonicTime now);
  // Tells why and closes. Nothing is read or written any more, and its session has lost it. Idempotent.
  void end(const wire::Problem& problem);
  void close(uint16_t code, std::string_view reason);

  bool has_session() const { return session_ != nullptr; }

  // --- of its session
  void set_session(Session* session) { session_ = session; }
  // It is welcomed: what it said meanwhile.
  std::vector<Held> take_held();
  void write(std::string_view frame);
  void write(Train& train);
  size_t outbox_bytes() const { return transport_->outbox_bytes(); }
  // What the peer's machine took so far.
  uint64_t taken_bytes() const { return written_ - std::min<uint64_t>(written_, outbox_bytes()); }
  void pause_reading(bool pause);
  bool is_paused() const { return paused_; }
  base::MonotonicTime last_heard() const { return last_heard_; }
  // nullptr: it is no poll.
  Poll* poll() const { return poll_; }
  void set_poll(Poll* poll) { poll_ = poll; }
  void heard();

 private:
  enum class Stage : uint8_t { greeting, waiting, checking, open, over };

  void hold(Held held);
  void on_hello(wire::Hello& hello);
  void ask_accounts();
  void on_identity(const wire::Answer<account::Identity>& identity);
  // Goes on with the session that the hello names, here or where that is. False: it is a new one.
  bool resume();
  bool move_to(uint64_t gateway);
  // Its hello is dealt with, in whatever way: the next one may be.
  void release();
  void leave();

  Shared& shared_;
  const uint64_t number_;
  std::unique_ptr<ports::Transport> transport_;
  Session* session_ = nullptr;
  Poll* poll_ = nullptr;                // transport_, if it is one
  std::unique_ptr<Greeting> greeting_;  // from the hello to the welcome
  base::MonotonicTime last_heard_;
  uint64_t written_ = 0;  // bytes
  Stage stage_ = Stage::greeting;
  bool admitted_ = false;  // one of Limits::hellos_in_flight_max
  bool paused_ = false;
};

}  // namespace tidings::gateway
