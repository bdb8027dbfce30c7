// A session of a device: what it was sent and has not acked, what it asked and was not answered yet, what it
// holds. It outlives its connections by Limits::resume_timeout: without one it is parked, goes on collecting,
// and the next connection that shows its token gets what was missed. session.cc holds its life and its
// connections, session_out.cc what it writes, session_commands.cc and session_reads.cc what it asks for,
// session_marks.cc what its device has.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gateway/connection.h"
#include "gateway/dirty.h"
#include "gateway/pending.h"
#include "gateway/places.h"
#include "gateway/queue.h"
#include "gateway/refused.h"
#include "gateway/resume_token.h"
#include "gateway/ring.h"
#include "gateway/shared.h"
#include "gateway/train.h"

namespace tidings::gateway {

class Session {
 public:
  // Of this device, by a hello of that time. begin() goes on from there.
  Session(Shared& shared, uint64_t number, const account::Identity& who, base::MonotonicTime hello_time);
  ~Session();

  // --- its connections
  // A new session: is welcomed on that connection, now or when the core was asked, or ended.
  void begin(Connection& connection, const wire::Hello& hello);
  // Goes on where that hello says, on that connection. False, and nothing has changed: the hello does not
  // fit.
  bool resume(Connection& connection, const Greeting& greeting);
  // One text message of the client.
  void on_message(std::string_view message);
  // A call of the poll that it is on; the answer is left to the poll.
  void on_poll(std::optional<uint64_t> received, std::string_view frames);
  // Not by end() or leave(): it is parked, or gone if it was not welcomed.
  void on_connection_lost();
  // Loses its connection, but not itself.
  void drop_connection(const wire::Problem& problem);
  Connection* connection() const { return connection_; }
  // The token of the welcome before: that client may not know of the newest.
  bool may_have_lost_welcome(std::string_view resume) const { return previous_token_.is(resume); }

  // Welcomed, and not at its end.
  bool is_open() const { return stage_ == Stage::open; }
  bool is_parked() const { return parked_; }
  base::MonotonicTime parked_at() const { return progress_at_; }
  const account::Identity& who() const { return who_; }
  DeviceHello device_hello() const;
  // What grows with what its client does.
  struct Holdings {
    size_t unacked_bytes = 0, dirty_conversations = 0, places = 0, unsettled = 0;
    void operator+=(const Holdings& more) {
      unacked_bytes += more.unacked_bytes;
      dirty_conversations += more.dirty_conversations;
      places += more.places;
      unsettled += more.unsettled;
    }
  };
  Holdings holdings() const {
    return {ring_.bytes(), dirty_ ? dirty_->size() : 0, places_.waiting(), places_.unsettled()};
  }

  // Tells why and closes. With a terminal code, or when the gateway drains, nobody finds it any more; else it
  // is parked. Idempotent.
  void end(wire::Code code, std::string detail = "");
  // Nobody finds it any more, and nothing of it goes on.
  void leave();
  // Time-outs; called about once a second.
  void on_tick(base::MonotonicTime now);
  void ask_to_move(uint64_t retry_ms);

  // All three: dropped unless open. Where there is no room, their conversation is told as dirty later.
  // `frame`: its bytes, which may be told to others, too.
  void on_event(const ports::EventOut& event, const Frame& frame);
  // The same as on_event() of each. False, and nothing was done: they are to be told one by one.
  [[nodiscard]] bool on_train(Train& train);
  void on_receipt(const ports::ReceiptOut& receipt, const Frame& frame);
  // Something was lost, and nobody knows what.
  void on_gap();
  // What comes from now on belongs to the gateway's newest branch: told before any of it, pull mode or not.
  void on_branch();

  // Fetches into the cache what on_train() needs of it.
  void prefetch() const;

  // Of People: another session of the same person.
  Session* next_of_person = nullptr;

  // Answers to its requests.
  void on_reply(const SessionAsker& asker, const ports::Reply& reply);
  void on_page(const SessionAsker& asker, const wire::Answer<ports::Page>& page);
  void on_sync(const SessionAsker& asker, const wire::Answer<ports::SyncRows>& rows);
  void on_newest(const wire::Answer<bool>& there);
  // No answer will come.
  void on_lost(const SessionAsker& asker);

 private:
  using Taken = base::Result<wire::ClientFrame, wire::FrameProblem>;
  enum class Stage : uint8_t { checking, open, over };
  // Whether the core holds the newest event of the client.
  struct Asked {
    uint64_t query = 0;
    base::MonotonicTime at{};
  };

  // --- life
  void take(Taken frame, size_t bytes);
  void hold(Taken frame, size_t bytes);
  void handle(Taken& frame);
  // False: not needed, or not possible.
  bool ask_newest(const wire::Hello& hello);
  // The first welcome, with this `sync`.
  void open(std::string_view sync);
  wire::Welcome welcome();
  // What was said before the welcome.
  void take_held();
  // What was held while something was looked up goes on, until the next look-up.
  void go_on();
  // nullptr: there was none. It knows nothing of this session any more.
  Connection* let_go();
  void park();
  // The client asks again what it is not answered, and these were not even begun.
  void drop_reads();
  void unpark();

  // --- what it writes
  // A counted frame, whatever there is already.
  void send(const Frame& frame);
  void send(std::string_view frame) { send(Frame(frame)); }
  // Frame objects without a number: what is ephemeral. Lost without a connection.
  void send_uncounted(std::string_view frame);
  // Room for an event or receipt. False: it is in pull mode.
  bool takes(size_t bytes);
  bool is_full(size_t more_bytes) const;
  // Tells what was left out, once enough was acked.
  void settle_dirty();
  // Gives the connection what it has room for, reads on or not, begins the next read.
  void pump();
  // Looks again in the next turn, then after pauses that grow.
  void pump_later();

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
  bool asks_too_much() const { return in_flight_ >= shared_.parts.limits.sends_in_flight_max; }
  base::WallTime until(std::optional<base::WallTime> own) const;
  // Reads run one after another, each once the peer took the answer before and acked enough, so that a slow
  // link is asked for no more than it takes.
  void next_read();
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

  // Small, because most sessions are idle: what is mostly empty is a pointer.
  Shared& shared_;
  const uint64_t number_;
  const account::Identity who_;
  const model::ConversationId own_log_;
  Connection* connection_ = nullptr;
  base::MonotonicTime hello_time_;
  ResumeToken token_;           // of the newest welcome
  ResumeToken previous_token_;  // that it was shown for, until something comes behind that welcome
  Stage stage_ = Stage::checking;
  bool entered_ = false;  // people find it: before the welcome, so that a revoked device is ended at any time
  bool parked_ = false;
  bool looking_up_ = false;  // later frames wait, so that a session's commands keep their order
  bool reading_ = false;
  bool pump_waits_ = false;
  uint32_t held_bytes_ = 0;
  uint32_t in_flight_ = 0;  // requests unanswered
  uint32_t marks_in_flight_ = 0;
  std::unique_ptr<Asked> asked_;
  Queue<Held> held_;
  Queue<std::variant<wire::PullFrame, wire::HistoryFrame, wire::SyncFrame>> reads_;
  base::nanoseconds pump_pause_{};
  RefusedIds refused_;

  Ring ring_;
  std::unique_ptr<Dirty> dirty_;  // it is in pull mode
  // When it last acked or took something, or had nothing to; parked: since when.
  base::MonotonicTime progress_at_;
  uint64_t progress_taken_ = 0;  // taken_bytes() then
  Places places_;
  std::optional<model::ConversationId> focus_;
};

}  // namespace tidings::gateway
