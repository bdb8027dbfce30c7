// The I/O-free heart of every C++ client: connection state, outbox, ordered delivery, catch-up. It knows a
// Transport, a clock and timers, nothing of sockets, so that test/sim runs this very code. One executor; all
// calls and callbacks there.
//
// What it guarantees: a message given to send() is in the outbox store before send() returns, and stays
// there, retried under its client id, until it is ticked or finally refused; listeners see each event of a
// conversation once, in seq order, without gaps (protocol.md §4, §7, §11). Other commands are retried under
// one client id until they are answered, too, but are forgotten with the process. What one has read is told
// to the server until it knows; what this client has received the server learns by acks, which are sent only
// for what was handed to the listener or is kept.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "client/cpp/conversation_view.h"
#include "client/cpp/histories.h"
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
  // `draining`: the server goes down, which is no failure.
  virtual void on_connection(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) = 0;
  // The next event of a conversation, own messages included. Once each, in seq order. The first one is seq 1,
  // with CatchUp::newest whatever comes first. Those of one's own log (kind self) come here, too.
  virtual void on_event(const model::Event& event) = 0;
  // A message of the outbox was ticked (on_event follows or went before).
  virtual void on_sent(const Sent& sent) = 0;
  // A message of the outbox, maybe of an earlier run, was finally refused and left it: nobody else has its
  // text any more.
  virtual void on_failed(const OutboxMessage& message, const wire::Problem& why) = 0;
  // The server's history of this conversation is another one (a restore): forget what was shown; events come
  // anew from seq 1, and own messages that it lacks are sent again, so that on_sent comes for them once more.
  // (With CatchUp::newest, and without own messages to look for, only what is new from here on comes.)
  virtual void on_reset(const model::ConversationId& conversation) = 0;
  // The clock was so far ahead that the server refused the client id: the message is in the outbox under
  // another one.
  virtual void on_renamed(const model::ClientId& from, const model::ClientId& to) {
    (void)from;
    (void)to;
  }
  // The event is held, and not shown yet: a sync, or the check of what was held before, has to end first, or
  // an earlier one is missing. To the server it may count as received.
  virtual void on_held(const model::Event& event) { (void)event; }
  // The marks, counts or `unread` in this conversation's view have changed.
  virtual void on_marks(const model::ConversationId& conversation) { (void)conversation; }
  // Something of this conversation's view was told by the server's list, not by events: it is new here, one
  // was removed, its title is another one.
  virtual void on_listed(const model::ConversationId& conversation) { (void)conversation; }
};

// The answer to a command that is no message. The event that it made comes by on_event; `duplicate`: there
// was nothing to change, and no event.
struct Done {
  model::ConversationId conversation;
  model::Seq seq;
  bool duplicate = false;
};

class Core {
 public:
  using WhenOpened = std::function<void(wire::Answer<model::ConversationId>)>;
  using WhenDone = std::function<void(wire::Answer<Done>)>;
  using WhenOlder = std::function<void(wire::Answer<Older>)>;

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
    CatchUp catch_up = CatchUp::everything;
  };
  explicit Core(Parts parts);
  // Cuts the connection; callbacks that have not run never will.
  ~Core();

  // Loads the outbox and keeps a connection from now on.
  base::Status connect();
  // Ends the connection and stays offline.
  void disconnect();
  Connection connection() const;
  // Said by the next hello; the connection that stands is not touched.
  void set_token(std::string token);
  // Known after the first welcome.
  std::optional<model::UserId> user() const;

  // The conversation of both, made if it does not exist; `done` when the server answered (retried until it
  // does), never inside the call.
  void open_direct(model::UserId other, WhenOpened done);

  // Groups, and blocking a person. `done` as for open_direct(): later, once, with the server's answer, after
  // as many tries as it takes. Of one conversation one after another, in the order of the calls. More than
  // 1,024 without an answer: `busy`.
  void create_group(std::string title, std::vector<model::UserId> members, model::History history,
                    WhenOpened done);
  void rename(const model::ConversationId& conversation, std::string title, WhenDone done);
  void set_history(const model::ConversationId& conversation, model::History history, WhenDone done);
  void add_members(const model::ConversationId& conversation, std::vector<model::UserId> users,
                   WhenDone done);
  void remove_member(const model::ConversationId& conversation, model::UserId user, WhenDone done);
  void leave(const model::ConversationId& conversation, WhenDone done);
  void set_role(const model::ConversationId& conversation, model::UserId user, model::Role role,
                WhenDone done);
  void block(model::UserId user, bool blocked, WhenDone done);
  // Whom one blocks, as far as one's own log was fetched.
  std::vector<model::UserId> blocked() const;

  // Everything up to the newest event that is held at or below `seq` was read: view.unread falls at once, and
  // the server is told, by and by. Marks never go down. With `hidden` only one's own devices hear of it.
  void read(const model::ConversationId& conversation, model::Seq seq, bool hidden = false);
  // Which conversation this device shows; nullopt: none. In large groups only those that are looked at get
  // counts.
  void focus(std::optional<model::ConversationId> conversation);
  // How far one's own message has come.
  Ticks ticks(const model::ConversationId& conversation, model::Seq seq) const;

  // Sees to it that about `limit` events (1 … 200) below `before` are held, if there are so many, by fetching
  // what is just below view.first; on_event tells nothing of them. `done` later, once; then ask events().
  // Waits for a connection.
  void history(const model::ConversationId& conversation, model::Seq before, uint64_t limit, WhenOlder done);

  // Puts the message in the outbox; an error (of the outbox store, or a message that no server takes: text
  // above 16 KiB, or not UTF-8) is returned and nothing was taken.
  base::Result<model::ClientId> send(const model::ConversationId& conversation, model::Message message);

  // Valid until the executor's next turn; nullptr if this client does not know it.
  const ConversationView* conversation(const model::ConversationId& id) const;
  // All of them, also those that one has left; without one's own log.
  std::vector<ConversationView> conversations() const;
  // The events held of it, from view.first to view.have, in order: since the start of this process, all that
  // was pulled, came live or was asked for by history(), up to held_events_max of all conversations together,
  // of which the oldest are dropped.
  std::vector<model::Event> events(const model::ConversationId& id) const;
  size_t outbox_size() const;
  // Commands without an answer.
  size_t command_count() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidings::client
