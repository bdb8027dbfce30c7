// This client's copy of one conversation: events without a gap from `first` up to `have`, and behind it those
// that came too early. `first` is 1, or where this client began to look; older ones come by history(). Knows
// nothing of requests; one thread.
//
// The live rule (protocol.md §7): the next event is applied; one at or below `have` is dropped if it is the
// same one and proves another history if its id differs; one further up waits for what is missing.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "client/cpp/conversation_view.h"
#include "client/cpp/store.h"
#include "model/conversation.h"
#include "wire/frames.h"

namespace tidings::client {

// What all timelines of a client hold together, so that it has a bound.
struct Held {
  size_t events = 0;
  size_t early = 0;
  bool dropped = false;  // something that came too early was not kept: it is to be pulled
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
  // The answer of a history from before `first`: what lies below it, without a gap.
  Outcome history(const wire::PageFrame& page);
  // The server says that this is its newest event.
  Outcome compare(const model::Cursor& head);
  // Nothing is held: begins behind this event, or lower where something that came too early follows at once.
  void start_at(const model::Cursor& place, model::Ord ord);

  // The newest event held at or below `seq`; nullopt if that is below what is held.
  struct Place {
    model::Cursor event;
    model::Ord ord;
  };
  std::optional<Place> at_or_below(model::Seq seq) const;

  // What a pull has to name as `check`.
  std::optional<model::Cursor> check() const;
  // The largest message id seen here.
  model::Cursor newest() const;
  // It came too early.
  bool waits(model::Seq seq) const { return early_.contains(seq); }
  bool behind() const { return view_.have.seq < view_.head; }

  // Drops the copy; what `self` said in it is kept as lost until it is seen again.
  void forget(model::UserId self);
  // The server may have gone back: what came too early is dropped, and nothing above `have` is known any
  // more: a row must tell anew what follows from it. What `self` said there is kept as lost until it is seen
  // again.
  void doubt(model::UserId self);
  // What of the marks is above `have` is not known any more.
  void doubt_marks();
  // What was said and was not seen again since forget(), in order.
  std::vector<OutboxMessage> take_lost();

  const ConversationView& view() const { return view_; }
  ConversationView& view() { return view_; }
  bool empty() const { return view_.have.seq.value == 0; }
  bool has_lost() const { return !lost_.empty(); }
  // The newest one of which is known that it exists is the newest one held.
  void expect_no_more();
  void expect(model::Seq seq) { view_.head = std::max(view_.head, seq); }
  const std::deque<model::Event>& events() const { return events_; }

 private:
  template <class Take, class Skip>
  bool cover(const wire::PageFrame& page, uint64_t covered, Outcome& outcome, Take take, Skip skip);
  bool same(const model::Event& event) const;
  void keep_as_lost(const model::Event& event, model::UserId self);
  Outcome apply(const model::Event& event, Applied& applied);
  Outcome drain(Applied& applied);
  Outcome wait(const model::Event& event);

  ConversationView view_;
  model::Cursor newest_;  // the newest event held; below view_.have.seq if holes follow it
  model::Ord newest_ord_;
  std::deque<model::Event> events_;
  std::map<model::Seq, model::Event> early_;
  std::vector<OutboxMessage> lost_;
  Held& held_;
};

}  // namespace tidings::client
