// One connection of one device: its hello, its requests, its end. session.cc holds its life,
// session_requests.cc what it asks for. It keeps nothing that a new connection could not do without.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "gateway/pending.h"
#include "gateway/refused.h"
#include "gateway/shared.h"
#include "ports/transport.h"

namespace tidings::gateway {

class Session : public ports::Transport::Handler {
 public:
  Session(Shared& shared, uint64_t number, std::unique_ptr<ports::Transport> transport);

  void on_frame(std::string_view frame) override;
  void on_closed(uint16_t code, std::string_view reason) override;

  // Welcomed, and not at its end.
  bool is_open() const { return stage_ == Stage::open; }
  DeviceHello device_hello() const;

  // A frame as bytes; dropped unless open. What stays unsent above the bound ends the session.
  void send(std::string_view frame);
  // Tells why and closes: nothing is read or sent any more, and nobody finds it. Idempotent.
  void end(wire::Code code, std::string detail = "");
  // Time-outs; called about once a second.
  void on_tick(base::MonotonicTime now);

  // Answers to its requests.
  void on_reply(const SessionAsker& asker, const ports::Reply& reply);
  void on_page(const SessionAsker& asker, const wire::Answer<ports::Page>& page);
  void on_sync(const SessionAsker& asker, const wire::Answer<ports::SyncRows>& rows);

 private:
  using Taken = base::Result<wire::ClientFrame, wire::FrameProblem>;
  enum class Stage { greeting, checking, open, over };
  struct Held {
    Taken frame;
    size_t bytes;
  };

  // --- life
  void take(Taken frame, size_t bytes);
  void hold(Taken frame, size_t bytes);
  void handle(Taken& frame);
  void on_hello(const wire::Hello& hello);
  void on_identity(wire::Answer<account::Identity> identity);
  void welcome();
  // What was held while something was looked up goes on, until the next look-up.
  void go_on();
  void close(uint16_t code, std::string_view reason);
  // Nobody finds it any more, and nothing of it goes on.
  void leave();
  void write(std::string_view frame);

  // --- requests
  void on_request(const wire::Ping&);
  void on_request(const wire::Ack&) {}
  void on_request(const wire::Bye&);
  void on_request(const wire::Hello&);
  void on_request(wire::MessageSend& send);
  void on_request(wire::ConversationCreate& create);
  void on_request(wire::PullFrame& pull);
  void on_request(wire::SyncFrame& sync);
  void on_request(const wire::UnknownFrame& unknown);
  std::optional<wire::Problem> check_send(const wire::MessageSend& send) const;
  void first_send(wire::MessageSend send);
  void hand_over(const wire::MessageSend& send, bool create_first);
  void hand_over_create(const wire::ConversationCreate& create, model::UserId other);
  void refuse(std::optional<wire::Request> request, const wire::Problem& problem,
              std::optional<model::ClientId> missing = std::nullopt);
  void refuse_send(const wire::MessageSend& send, const wire::Problem& problem);
  bool is_full() const { return in_flight_ >= shared_.parts.limits.sends_in_flight_max; }
  base::WallTime until(std::optional<base::WallTime> own) const;
  // Reads run one after another, each once the peer took the answer before (but for a rest), so that a slow
  // link is asked for no more than it takes.
  void next_read();
  // Below a quarter of the bound in any case, so that the rest of an answer leaves room for events.
  size_t read_outbox_bytes_max() const {
    const auto& limits = shared_.parts.limits;
    return std::min(limits.read_outbox_bytes_max, limits.outbox_bytes_max / 4);
  }
  // Looks again in the next turn, then after pauses that grow.
  void read_later();
  // Its bytes are not counted against the peer.
  void answer_read(std::string_view frame);
  void count_unsent();
  void start(const wire::PullFrame& pull);
  void start(wire::SyncFrame& sync);
  void read_done();

  Shared& shared_;
  const uint64_t number_;
  std::unique_ptr<ports::Transport> transport_;
  Stage stage_ = Stage::greeting;
  base::MonotonicTime begun_, last_heard_, hello_time_;
  account::Identity who_;

  // While a look-up is under way later frames wait, so that a session's commands keep their order.
  bool looking_up_ = false;
  std::deque<Held> held_;
  size_t held_bytes_ = 0;

  size_t in_flight_ = 0;  // requests unanswered
  std::deque<std::variant<wire::PullFrame, wire::SyncFrame>> reads_;
  bool reading_ = false;
  bool read_waits_ = false;
  base::nanoseconds read_pause_{};
  // Of the last read's answer, while it may be unsent.
  size_t answer_bytes_ = 0;
  RefusedIds refused_;
  bool outbox_watched_ = false;
};

}  // namespace tidings::gateway
