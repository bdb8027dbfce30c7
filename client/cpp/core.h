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
#include "model/conversation.h"
#include "ports/clock.h"
#include "ports/random.h"
#include "ports/transport.h"
#include "wire/codes.h"

namespace tidings::client {

// A message of ours that has no final answer yet.
struct OutboxMessage {
  model::ClientId client_id;
  model::ConversationId conversation;
  model::Message message;
  uint64_t order = 0;  // grows; sends to one conversation keep it
  friend bool operator==(const OutboxMessage&, const OutboxMessage&) = default;
};

// Where the outbox survives. put() is durable against a crash of the client when it returns.
class OutboxStore {
 public:
  virtual ~OutboxStore() = default;
  virtual base::Result<std::vector<OutboxMessage>> load() = 0;  // sorted by order
  virtual base::Status put(const OutboxMessage& message) = 0;
  virtual base::Status remove(const model::ClientId& client_id) = 0;
};

enum class Connection {
  offline,     // waiting to try again, or stopped
  connecting,  // transport, hello
  syncing,     // welcomed, catching up
  online,
  refused,  // a terminal close: logged out, replaced, version; connect() tries anew
};

// A conversation as this client knows it.
struct ConversationView {
  model::ConversationId conversation;
  model::ConversationKind kind = model::ConversationKind::direct;
  std::vector<model::UserId> members;
  model::Cursor have;  // newest event held without a gap below
  model::Seq head;     // newest event known to exist
};

// What happened to a send.
struct Sent {
  model::ClientId client_id;
  model::ConversationId conversation;
  model::Seq seq;
  model::Ord ord;
  model::MessageId id;
  base::WallTime time{};
};

class Listener {
 public:
  virtual ~Listener() = default;
  virtual void on_connection(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) = 0;
  // The next event of a conversation, own messages included. Once each, in seq order.
  virtual void on_event(const model::Event& event) = 0;
  // A message of the outbox was ticked (on_event follows or went before).
  virtual void on_sent(const Sent& sent) = 0;
  // A message of the outbox was finally refused and left it.
  virtual void on_failed(const model::ClientId& client_id, const wire::Problem& why) = 0;
  // The server's history of this conversation is another one (a restore): forget what was shown; events come
  // anew from seq 1, and own messages that it lacks are sent again.
  virtual void on_reset(const model::ConversationId& conversation) = 0;
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
    std::function<void(std::function<void(std::unique_ptr<ports::Transport>)> done)> open_transport;
  };
  explicit Core(Parts parts);
  ~Core();

  // Loads the outbox and keeps a connection from now on.
  base::Status connect();
  // Cuts the connection and stays offline.
  void disconnect();
  Connection connection() const;
  // Known after the first welcome.
  std::optional<model::UserId> user() const;

  // The conversation of both, made if it does not exist; `done` when the server answered (retried until it
  // does).
  void open_direct(model::UserId other, std::function<void(wire::Answer<model::ConversationId>)> done);
  // Puts the message in the outbox; an error of the outbox store is returned and nothing was taken.
  base::Result<model::ClientId> send(const model::ConversationId& conversation, model::Message message);

  const ConversationView* conversation(const model::ConversationId& id) const;
  std::vector<ConversationView> conversations() const;
  // The events held of it (ordered): since the start of this process, all that was pulled or came live.
  std::vector<model::Event> events(const model::ConversationId& id) const;
  size_t outbox_size() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidings::client
