// This client's copy of one conversation: events without a gap from seq 1 up to `have`, and behind it those
// that came too early. Knows nothing of requests; one thread.
//
// The live rule (protocol.md §7): the next event is applied; one at or below `have` is dropped if it is the
// same one and proves another history if its id differs; one further up waits for what is missing.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "client/cpp/store.h"
#include "model/conversation.h"
#include "wire/frames.h"

namespace tidings::client {

// A conversation as this client knows it.
struct ConversationView {
  model::ConversationId conversation;
  model::ConversationKind kind = model::ConversationKind::direct;
  std::vector<model::UserId> members;  // known once the first event was seen
  model::Cursor have;  // newest place without a gap below, and the newest event held there or below it
  model::Seq head;     // newest event known to exist
};

// What all timelines of a client hold together, so that it has a bound.
struct Held {
  size_t events = 0;
  size_t early = 0;
};
inline constexpr size_t held_events_max = 100'000;  // beyond it a conversation drops its oldest
inline constexpr size_t held_early_max = 10'000;    // beyond it what comes too early is dropped and pulled

class Timeline {
 public:
  enum class Outcome {
    fine,
    diverged,  // the server's history is another one
    broken,    // no honest server sends this
  };
  using Applied = std::vector<model::Event>;

  Timeline(const model::ConversationId& conversation, Held& held);
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  // One event, live or our own. With `hold` it only waits, until release().
  Outcome add(const model::Event& event, bool hold, Applied& applied);
  Outcome release(Applied& applied);
  // The answer of a pull after `after`.
  Outcome page(const wire::PageFrame& page, model::Seq after, Applied& applied);
  // The server says that this is its newest event.
  Outcome compare(const model::Cursor& head);

  // What a pull has to name as `check`.
  std::optional<model::Cursor> check() const;
  // The largest message id seen here.
  model::Cursor newest() const;
  bool behind() const { return view_.have.seq < view_.head; }

  // Drops the copy; what `self` said in it is kept as lost until it is seen again.
  void forget(model::UserId self);
  // The server may have gone back: what came too early is dropped, and nothing above `have` is known any
  // more. What `self` said there is kept as lost until it is seen again.
  void doubt(model::UserId self);
  // What was said and was not seen again since forget(), in order.
  std::vector<OutboxMessage> take_lost();

  const ConversationView& view() const { return view_; }
  void set_kind(model::ConversationKind kind) { view_.kind = kind; }
  void expect(model::Seq seq) { view_.head = std::max(view_.head, seq); }
  const std::deque<model::Event>& events() const { return events_; }

 private:
  bool same(const model::Event& event) const;
  void keep_as_lost(const model::Event& event, model::UserId self);
  Outcome apply(const model::Event& event, Applied& applied);
  Outcome drain(Applied& applied);
  Outcome wait(const model::Event& event);

  ConversationView view_;
  model::Cursor newest_;  // the newest event held; below view_.have.seq if holes follow it
  std::deque<model::Event> events_;
  std::map<model::Seq, model::Event> early_;
  std::vector<OutboxMessage> lost_;
  Held& held_;
};

}  // namespace tidings::client
