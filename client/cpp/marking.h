// One's own marks on their way to the server: `mark` frames, at most one a second and conversation, of which
// the newest wins, repeated at each welcome and every 30 s while the server has not said that it knows. Marks
// never go down, but by forget(). One thread; the caller passes the time in.
//
// What a session has received is known to the server by its acks (protocol.md §8), so `delivered` is told
// only where that did not help.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "ports/random.h"
#include "wire/frames.h"

namespace tidings::client {

class Marking {
 public:
  explicit Marking(ports::Random& random) : random_(random) {}

  // This event was read. False if that, or more, was said before.
  bool read(const model::ConversationId& conversation, const model::Cursor& event, model::Ord ord,
            bool hidden, base::MonotonicTime now);
  // Everything up to here is held. With `derived` the server should find it out by itself.
  void delivered(const model::ConversationId& conversation, model::Seq seq, bool derived,
                 base::MonotonicTime now);
  // What the server says of one's own mark, on any way; with `exact` it counts even if it is less than
  // before.
  void told(const model::ConversationId& conversation, model::Seq read, model::Seq delivered, bool exact,
            base::MonotonicTime now);
  // The copy that the marks stood in is no more, or one has left.
  void forget(const model::ConversationId& conversation);

  // The sync is over: what was told is known.
  void ready(base::MonotonicTime now);
  void disconnected();
  // The session goes on: what is not answered is said again.
  void resumed(base::MonotonicTime now);

  std::vector<wire::MarkFrame> due(base::MonotonicTime now, wire::Request& last_request);
  std::optional<base::MonotonicTime> next() const;
  // The answers; nullopt if the request is none of these.
  std::optional<model::ConversationId> accept(const wire::Ok& ok, base::MonotonicTime now);
  // `diverged`: the conversation, if the server says that it has another history.
  struct Refused {
    std::optional<model::ConversationId> diverged;
  };
  std::optional<Refused> refuse(const wire::ErrorFrame& error, base::MonotonicTime now);

  // The newest event that was read, as far as this client said so itself.
  struct Read {
    model::Cursor event;
    model::Ord ord;
    bool hidden = false;
  };
  std::optional<Read> wanted(const model::ConversationId& conversation) const;
  // And the server has not said yet that it knows.
  bool wanted_is_ahead(const model::ConversationId& conversation) const;

 private:
  struct Entry {
    Read read;
    model::Seq delivered;
    model::Seq told_read, told_delivered;
    wire::Request request = 0;  // whose answer is waited for
    Read asked;                 // what it carried
    model::Seq asked_delivered;
    std::optional<base::MonotonicTime> sent, at;
    int refused = 0;
    bool given_up = false;  // on this connection, and until the server tells of the mark
  };
  bool ahead(const Entry& entry) const;
  void wake(const model::ConversationId& id, Entry& entry, std::optional<base::MonotonicTime> at);
  void land(Entry& entry);
  void settle(const model::ConversationId& id, Entry& entry, base::MonotonicTime now);

  ports::Random& random_;
  std::map<model::ConversationId, Entry> entries_;
  std::set<std::pair<base::MonotonicTime, model::ConversationId>> wakes_;
  std::map<wire::Request, model::ConversationId> in_flight_;
  bool ready_ = false;
  base::MonotonicTime not_before_ = base::MonotonicTime::min();
};

}  // namespace tidings::client
