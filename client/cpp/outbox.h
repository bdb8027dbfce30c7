// What we sent and have no final answer for, in order per conversation, and what is to be written of it now.
// Does no I/O but through the OutboxStore; one thread; the caller passes the time in.
//
// The rules of protocol.md §4: a message is written again, under its client id and a new request number,
// after 10 s without an answer and on every new connection. `previous` names the unanswered message before
// it, computed anew each time. It is given up only once no older attempt can still be accepted; until then a
// final refusal just waits.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "client/cpp/client_ids.h"
#include "client/cpp/store.h"
#include "ports/random.h"
#include "wire/frames.h"

namespace tidings::client {

class Outbox {
 public:
  Outbox(OutboxStore& store, ClientIds& ids, ports::Random& random)
      : store_(store), ids_(ids), random_(random) {}

  // Takes in what the store holds; an earlier process may have written it just now. A second call changes
  // nothing.
  base::Status load(base::MonotonicTime now);
  // Durable when it returns ok; on an error nothing was taken.
  base::Status add(OutboxMessage message);
  // Own messages that the server had ticked and has no more: sent again, before what waits in their
  // conversation.
  void put_back(const model::ConversationId& conversation, std::vector<OutboxMessage> lost);

  // A new session: whatever is not answered is written again.
  void connected(size_t in_flight_max);
  void paused() { connected_ = false; }
  // The same session goes on: the same, and answers to what was written before are still good.
  void resumed();

  // How a conversation may be written to: not now; by its id; or, if the server has forgotten it, by its
  // other person.
  struct Route {
    bool open = true;
    std::optional<model::UserId> to;
  };
  // What to write now, with request numbers counted on from `last_request`.
  std::vector<wire::MessageSend> due(base::MonotonicTime now, uint64_t& last_request,
                                     const std::function<Route(const model::ConversationId&)>& route);

  // The server has it: takes it out. Nullopt if it is not here (a repeat, or long given up).
  std::optional<OutboxMessage> accept(model::ClientId client_id);

  // The message that this request, still unanswered, carried.
  const OutboxMessage* find(wire::Request request) const;
  // A refusal of a request for which find() answered.
  void refuse(const wire::ErrorFrame& error, base::MonotonicTime now);
  // As above, but it is to be written again at once whatever the code says: its route has changed.
  void reroute(wire::Request request, base::MonotonicTime now);

  // What ended since the last call: given up, or to be known under another client id from now on.
  struct Ended {
    OutboxMessage message;  // under the client id that it had
    wire::Problem why;
    std::optional<model::ClientId> renamed;
  };
  std::vector<Ended> ended(base::MonotonicTime now);

  // Routes may have changed.
  void look_again() { changed_ = true; }
  // When due() or ended() will have something new to say if nobody calls before.
  std::optional<base::MonotonicTime> next() const;
  size_t size() const { return index_.size(); }

 private:
  static constexpr size_t window_max = 1024;
  struct Attempt {
    wire::Request request = 0;
    base::MonotonicTime written{};
  };
  struct Entry {
    OutboxMessage message;
    std::vector<Attempt> open;    // attempts that may still be accepted
    wire::Request in_flight = 0;  // the newest attempt, while its answer is waited for
    base::MonotonicTime retry_at = base::MonotonicTime::min();
    int tries_refused = 0;
    bool lacks_previous = false;  // so it was refused the last time
    std::optional<wire::Problem> refusal;
  };
  struct Flight {
    model::ClientId client_id;
    base::MonotonicTime deadline{};
  };

  Entry* find(const model::ClientId& client_id);
  void prune(Entry& entry, base::MonotonicTime now);
  void land(Entry& entry);
  void erase(const model::ClientId& client_id);
  void retry(Entry& entry, base::MonotonicTime at);
  void slow_down(base::MonotonicTime until);
  Entry* answered(wire::Request request, bool final_answer);

  OutboxStore& store_;
  ClientIds& ids_;
  ports::Random& random_;
  std::map<model::ConversationId, std::deque<Entry>> queues_;
  std::unordered_map<model::ClientId, model::ConversationId> index_;
  std::unordered_map<wire::Request, model::ClientId> unanswered_;  // of this session
  std::map<wire::Request, Flight> in_flight_;
  std::vector<model::ClientId> refused_;  // those that wait for older attempts
  std::multiset<base::MonotonicTime> wakes_;
  model::ConversationId turn_{};  // whose turn it is when not all can be written
  // Begins far above 0: what comes back after a restore goes in front of what waits.
  uint64_t last_order_ = uint64_t{1} << 32;
  size_t in_flight_max_ = 0;
  // After `rate_limited` less than in_flight_max_, for a while.
  size_t window_ = window_max;
  int accepted_ = 0;  // since then
  base::MonotonicTime quiet_until_ = base::MonotonicTime::min();
  bool connected_ = false;
  bool changed_ = false;
  bool loaded_ = false;
};

}  // namespace tidings::client
