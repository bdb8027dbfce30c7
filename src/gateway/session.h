// One connection of one device: its hello, its requests, its end. session.cc holds its life and what it
// writes, session_hello.cc how it is let in, session_commands.cc and session_reads.cc what it asks for,
// session_marks.cc what its device has. It keeps nothing that a new connection could not do without.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "gateway/pending.h"
#include "gateway/places.h"
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

  // All three: dropped unless open. What stays unsent above the bound ends the session.
  void on_event(const ports::EventOut& event);
  void on_receipt(const ports::ReceiptOut& receipt);
  // A counted frame as bytes.
  void send(std::string_view frame);
  // Tells why and closes: nothing is read or sent any more, and nobody finds it. Idempotent.
  void end(wire::Code code, std::string detail = "");
  // Time-outs; called about once a second.
  void on_tick(base::MonotonicTime now);

  // Answers to its requests.
  void on_reply(const SessionAsker& asker, const ports::Reply& reply);
  void on_page(const SessionAsker& asker, const wire::Answer<ports::Page>& page);
  void on_sync(const SessionAsker& asker, const wire::Answer<ports::SyncRows>& rows);
  void on_newest(const wire::Answer<bool>& there);

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
  // Asks the core whether the newest event that the client holds is there; false: not needed, or not
  // possible.
  bool ask_newest();
  // The welcome, with this `sync`.
  void open(std::string_view sync);
  // What was held while something was looked up goes on, until the next look-up.
  void go_on();
  void close(uint16_t code, std::string_view reason);
  // Nobody finds it any more, and nothing of it goes on.
  void leave();
  void write(std::string_view frame);
  // Frame objects without a number: welcome and what is ephemeral.
  void send_uncounted(std::string_view frame);

  // --- requests
  void on_request(const wire::Ping&);
  void on_request(const wire::Ack&) {}  // its `received` was taken with the message
  void on_request(const wire::Bye&);
  void on_request(const wire::Hello&);
  void on_request(wire::MessageSend& send);
  void on_request(wire::ConversationCreate& create);
  void on_request(wire::ConversationUpdate& update);
  void on_request(wire::ConversationLeave& leave);
  void on_request(wire::MemberAdd& add);
  void on_request(wire::MemberRemove& remove);
  void on_request(wire::MemberRole& role);
  void on_request(wire::BlockFrame& block);
  void on_request(const wire::MarkFrame& mark);
  void on_request(const wire::FocusFrame& focus);
  void on_request(wire::PullFrame& pull);
  void on_request(wire::HistoryFrame& history);
  void on_request(wire::SyncFrame& sync);
  void on_request(const wire::UnknownFrame& unknown);
  std::optional<wire::Problem> check_send(const wire::MessageSend& send) const;
  void first_send(wire::MessageSend send);
  void hand_over(const wire::MessageSend& send, bool create_first);
  // Any command but a send: refuses it, looks up who must exist, hands it over.
  template <class Frame>
  void command(Frame& frame);
  void hand_over(wire::Request request, Wanted wanted);
  void refuse(std::optional<wire::Request> request, const wire::Problem& problem,
              std::optional<model::ClientId> missing = std::nullopt);
  void refuse_send(const wire::MessageSend& send, const wire::Problem& problem);
  // The client has stored so many counted frames.
  void on_received(uint64_t received);
  void answer_mark(const SessionAsker& asker, const ports::Reply& reply);
  void mark_delivered(const std::vector<Places::Delivered>& delivered);
  void look_at(std::optional<model::ConversationId> conversation);
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
  // Waits for its turn; refused if too much is unanswered.
  template <class Frame>
  void queue_read(Frame& frame);
  void start(const wire::PullFrame& pull);
  void start(const wire::HistoryFrame& history);
  void start(wire::SyncFrame& sync);
  // One question to one shard, with the number that it was built with.
  void ask(uint64_t number, wire::Request request, const model::ConversationId& conversation,
           ports::UpFrame question);
  void read_done();

  Shared& shared_;
  const uint64_t number_;
  std::unique_ptr<ports::Transport> transport_;
  Stage stage_ = Stage::greeting;
  base::MonotonicTime begun_, last_heard_, hello_time_;
  account::Identity who_;
  model::ConversationId own_log_;
  bool entered_ = false;  // people find it: before the welcome, so that a revoked device is ended at any time
  // What the hello says of its last connection, until the welcome.
  std::optional<std::string> branch_;
  std::optional<wire::Hello::Newest> newest_;
  uint64_t newest_query_ = 0;  // the number of the question about it; 0: none is open
  base::MonotonicTime newest_asked_;

  // While a look-up is under way later frames wait, so that a session's commands keep their order.
  bool looking_up_ = false;
  std::deque<Held> held_;
  size_t held_bytes_ = 0;

  size_t in_flight_ = 0;  // requests unanswered
  size_t marks_in_flight_ = 0;
  std::deque<std::variant<wire::PullFrame, wire::HistoryFrame, wire::SyncFrame>> reads_;
  bool reading_ = false;
  bool read_waits_ = false;
  base::nanoseconds read_pause_{};
  // Of the last read's answer, while it may be unsent.
  size_t answer_bytes_ = 0;
  RefusedIds refused_;
  bool outbox_watched_ = false;

  uint64_t sent_ = 0;  // counted frames
  Places places_;
  std::optional<model::ConversationId> focus_;
};

}  // namespace tidings::gateway
