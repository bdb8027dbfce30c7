// The I/O-free heart of every C++ client: connection state, outbox, ordered delivery, catch-up. It knows a
// Transport, a clock and timers, nothing of sockets, so that test/sim runs this very code. One executor; all
// calls and callbacks there.
//
// What it guarantees: a message given to send() is in the outbox store before send() returns, and stays
// there, retried under its client id, until it is ticked or finally refused; listeners see each event of a
// conversation once, in seq order, without gaps (protocol.md §4, §7, §11).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "client/cpp/line.h"
#include "client/cpp/store.h"
#include "client/cpp/timeline.h"
#include "model/conversation.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/transport.h"
#include "wire/codes.h"

namespace tidings::client {

// What happened to a send.
struct Sent {
  model::ClientId client_id;
  model::ConversationId conversation;
  model::Seq seq;
  model::Ord ord;
  model::MessageId id;
  base::WallTime time{};
};

// Told of what happened, on the executor, never from inside a call of Core. May call Core; may not destroy
// it.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void on_connection(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) = 0;
  // The next event of a conversation, own messages included. Once each, in seq order.
  virtual void on_event(const model::Event& event) = 0;
  // A message of the outbox was ticked (on_event follows or went before).
  virtual void on_sent(const Sent& sent) = 0;
  // A message of the outbox, maybe of an earlier run, was finally refused and left it: nobody else has its
  // text any more.
  virtual void on_failed(const OutboxMessage& message, const wire::Problem& why) = 0;
  // The server's history of this conversation is another one (a restore): forget what was shown; events come
  // anew from seq 1, and own messages that it lacks are sent again, so that on_sent comes for them once more.
  virtual void on_reset(const model::ConversationId& conversation) = 0;
  // The clock was so far ahead that the server refused the client id: the message is in the outbox under
  // another one.
  virtual void on_renamed(const model::ClientId& from, const model::ClientId& to) {
    (void)from;
    (void)to;
  }
};

class Core {
 public:
  struct Parts {
    base::Executor& executor;
    ports::Clock& clock;
    ports::Random& random;
    OutboxStore& outbox;
    Listener& listener;
    std::string token;
    std::string app;  // "chat/0.1"
    // Opens a connection and calls `done` later, on the executor: the transport, or nullptr.
    OpenTransport open_transport;
  };
  explicit Core(Parts parts);
  // Cuts the connection; callbacks of open_direct() that have not run never will.
  ~Core();

  // Loads the outbox and keeps a connection from now on.
  base::Status connect();
  // Ends the connection and stays offline.
  void disconnect();
  Connection connection() const;
  // Known after the first welcome.
  std::optional<model::UserId> user() const;

  // The conversation of both, made if it does not exist; `done` when the server answered (retried until it
  // does), never inside the call.
  void open_direct(model::UserId other, std::function<void(wire::Answer<model::ConversationId>)> done);
  // Puts the message in the outbox; an error (of the outbox store, or a message that no server takes: text
  // above 16 KiB, or not UTF-8) is returned and nothing was taken.
  base::Result<model::ClientId> send(const model::ConversationId& conversation, model::Message message);

  // Valid until the executor's next turn; nullptr if this client does not know it.
  const ConversationView* conversation(const model::ConversationId& id) const;
  std::vector<ConversationView> conversations() const;
  // The events held of it (ordered): since the start of this process, all that was pulled or came live, up to
  // held_events_max of all conversations together, of which the oldest are dropped.
  std::vector<model::Event> events(const model::ConversationId& id) const;
  size_t outbox_size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidings::client
