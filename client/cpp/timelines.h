// All conversations of this client: the sync after each welcome, the pulls that close gaps, marks and what is
// unread, and what follows when the server's history turns out to be another one. Does no I/O; one thread;
// the caller passes the time in, writes the frames that due() gives, and cuts the connection if a call
// returns false: no honest server sends that.
//
// timelines.cc: what the server says of events. timelines_sync.cc: the list. timelines_pull.cc: what is asked
// for, and when. timelines_marks.cc: marks and unread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/cpp/histories.h"
#include "client/cpp/marking.h"
#include "client/cpp/rows.h"
#include "client/cpp/timeline.h"
#include "client/cpp/unread.h"
#include "client/cpp/vector_sync.h"
#include "ports/random.h"

namespace tidings::client {

inline constexpr size_t conversations_max = 20'000;  // further ones are ignored

class Timelines {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void on_event(const model::Event& event) = 0;
    // It waits to be shown.
    virtual void on_held(const model::Event& event) = 0;
    virtual void on_reset(const model::ConversationId& conversation) = 0;
    // Own messages that the server had ticked and has no more.
    virtual void on_lost(const model::ConversationId& conversation, std::vector<OutboxMessage> lost) = 0;
    // Marks, counts or the number of unread messages have changed.
    virtual void on_marks(const model::ConversationId& conversation) = 0;
    // A sync has told something of it.
    virtual void on_listed(const model::ConversationId& conversation) = 0;
    // To be called after this call.
    virtual void later(std::function<void()> done) = 0;
  };

  Timelines(ports::Random& random, Sink& sink, uint64_t& last_request, CatchUp catch_up)
      : random_(random),
        sink_(sink),
        last_request_(last_request),
        catch_up_(catch_up),
        marking_(random),
        rows_(random),
        histories_(random) {}

  // After a welcome: a sync begins, and live events wait until it is over.
  struct Welcomed {
    model::UserId self;
    std::string branch;
    bool changes = false;  // the server has the history that this client knows
    size_t pulls_max = 1;
    size_t chunk_rows_max = 500;
  };
  void connected(const Welcomed& welcomed);
  void paused() { connected_ = false; }
  // The session of before goes on: what is not answered is asked again.
  void resumed(base::MonotonicTime now);

  // Something was left out of these conversations: they are pulled, or the list is asked what has changed.
  void dirty(const wire::Dirty& dirty, base::MonotonicTime now);
  [[nodiscard]] bool receipt(const wire::Receipt& receipt, base::MonotonicTime now);
  // An answer to a mark; false if its request is none of these.
  bool marked(const wire::Ok& ok, base::MonotonicTime now);
  [[nodiscard]] bool add(const model::Event& event, base::MonotonicTime now);
  [[nodiscard]] bool page(const wire::PageFrame& page, base::MonotonicTime now);
  [[nodiscard]] bool synced(const wire::SyncAnswer& answer, base::MonotonicTime now);
  // A refusal; ignored if its request is none of ours.
  [[nodiscard]] bool refused(const wire::ErrorFrame& error, base::MonotonicTime now);
  // There is an event of this seq that did not come here.
  void expect(const model::ConversationId& conversation, model::Seq seq, base::MonotonicTime now);
  // There is this conversation, known or not.
  void look_at(const model::ConversationId& conversation, base::MonotonicTime now);

  // The newest event held at or below `seq` was read.
  void read(const model::ConversationId& conversation, model::Seq seq, bool hidden, base::MonotonicTime now);
  // See Core::history().
  void history(Histories::Wish wish);

  std::vector<wire::ClientFrame> due(base::MonotonicTime now);
  std::optional<base::MonotonicTime> next() const;

  // Something came: answers that are waited for may stand behind it.
  void heard(base::MonotonicTime now);
  // A large answer may be on its way.
  bool asks_for_pages() const {
    return !in_flight_.empty() || !late_.empty() || sync_request_ != 0 || histories_.waits();
  }
  // Whatever came is kept, and not only known of.
  bool whole();

  // The sync goes on.
  bool syncing() const { return syncing_; }
  // Nothing that the sync said is missing is still missing.
  bool caught_up() const { return !syncing_ && unsettled_.empty(); }
  // It is known that our copy of this conversation is of the server's history (or that we have none).
  bool settled(const model::ConversationId& conversation) const {
    return !syncing_ && !unsettled_.contains(conversation);
  }
  // The server said that it does not know this conversation. The other person of a direct one, to whom one
  // may write instead; nullopt if that is not known, or if it was tried already.
  std::optional<model::UserId> gone(const model::ConversationId& conversation);
  // The above, as long as it holds.
  std::optional<model::UserId> addressee(const model::ConversationId& conversation) const;

  // The newest event held anywhere.
  std::optional<wire::Hello::Newest> newest() const;
  const ConversationView* view(const model::ConversationId& conversation) const;
  std::vector<ConversationView> views() const;  // without one's own log
  std::vector<model::Event> events(const model::ConversationId& conversation) const;
  const std::set<model::UserId>& blocked() const { return blocked_; }

 private:
  enum class Pull { none, waits, queued, in_flight };
  struct Conversation {
    Conversation(const model::ConversationId& id, Held& held) : timeline(id, held) {}
    Timeline timeline;
    Pull pull = Pull::none;
    base::MonotonicTime pull_at{};
    int fruitless = 0;        // pulls that were refused or brought nothing
    bool recovering = false;  // lost messages are known once all of it was fetched
    bool unchecked =
        false;  // the server started anew, and no pull has shown yet that it agrees with our copy
    bool marks_doubted =
        false;           // they may be of events that a restore lost, until a row or page tells them anew
    bool gone = false;   // the server does not know it
    bool dirty = false;  // the server has left something out, and no page has come since
    Unread unread;
    uint64_t mark_count = 0;
    model::Seq asked_for;  // the read mark for which a row was asked, because unread could not be counted
    // In this session a sync has listed it, and no page has reached its end since: the server does not derive
    // from acks what was delivered here.
    bool listed = false;
  };
  struct InFlight {
    model::ConversationId conversation;
    model::Seq after;
    base::MonotonicTime asked{};
    base::MonotonicTime deadline{};
  };

  void disconnected();
  Conversation* find_or_add(const model::ConversationId& id);
  const Conversation* find(const model::ConversationId& id) const;
  bool settle(Conversation& conversation, Timeline::Outcome outcome, const Timeline::Applied& applied,
              base::MonotonicTime now);
  std::optional<InFlight> answered(wire::Request request);
  void forget_requests(const model::ConversationId& id);
  // Asks for the oldest page that is waited for once more; it is still good if it comes after all.
  void pull_again(base::MonotonicTime now);
  void want_pull(Conversation& conversation, base::MonotonicTime now, base::nanoseconds delay);
  void look_for_gap(Conversation& conversation, base::MonotonicTime now);
  void reset(Conversation& conversation, base::MonotonicTime now);
  void forget_gone(Conversation& conversation);
  void try_later(Conversation& conversation, std::optional<uint64_t> retry_ms, base::MonotonicTime now);
  bool end_sync(base::MonotonicTime now);
  void sync_changes(base::MonotonicTime now);
  void took(Conversation& conversation, const model::Event& event, base::MonotonicTime now);
  void took_own(const model::Event& event, base::MonotonicTime now);
  // Nothing of it is to be fetched but what comes from now on.
  bool begins_at_head(const Conversation& conversation) const;
  bool row_answered(const model::ConversationId& id, const wire::SyncAnswer& answer, base::MonotonicTime now);
  bool take_row(const wire::SyncedConversation& row, bool alone, base::MonotonicTime now);
  void ended(Conversation& conversation);
  void forget(Conversation& conversation);
  bool older(const Histories::Wish& wish, const wire::PageFrame& page, base::MonotonicTime now);
  void answer(const Histories::Wish& wish, wire::Answer<Older> answer);
  void drop_wishes(const model::ConversationId& id, wire::Code why);
  std::optional<wire::HistoryFrame> frame_of(const Histories::Wish& wish) const;
  void ask(std::vector<wire::ClientFrame>& frames, base::MonotonicTime now);
  // `as_of`: the head when they were looked up; nullopt: they come in the order of the events.
  void take_marks(Conversation& conversation, std::vector<model::Mark> marks,
                  const std::vector<model::ReadCount>& counts, uint64_t members,
                  std::optional<model::Seq> as_of, bool exact, base::MonotonicTime now);
  void anchor(Conversation& conversation, const wire::SyncedConversation& row);
  // Looks at one's own marks anew, and tells of what has changed.
  void count(Conversation& conversation);

  ports::Random& random_;
  Sink& sink_;
  uint64_t& last_request_;
  const CatchUp catch_up_;
  Held held_;
  std::map<model::ConversationId, Conversation> conversations_;
  model::UserId self_;
  model::ConversationId own_log_;
  std::set<model::UserId> blocked_;
  std::string branch_;
  size_t pulls_max_ = 8;

  bool connected_ = false;
  bool syncing_ = true;
  bool list_dirty_ = false;  // a further sync has to follow
  bool resyncing_ = false;   // what came live before it may be newer than its rows
  VectorSync sync_;
  std::optional<model::Position> activity_;      // of the last sync that was completed
  std::optional<model::Position> new_activity_;  // the lowest one of this sync
  int sync_refused_ = 0;
  wire::Request sync_request_ = 0;  // 0: to be sent at sync_at_
  base::MonotonicTime sync_asked_{};
  base::MonotonicTime sync_at_ = base::MonotonicTime::min();  // to send, or to send again

  base::MonotonicTime read_at_ = base::MonotonicTime::min();  // asks for nothing before
  std::set<model::ConversationId> unsettled_;
  std::deque<model::ConversationId> queue_;
  std::map<wire::Request, InFlight> in_flight_;
  std::map<wire::Request, InFlight> late_;  // asked again meanwhile; their pages are still good
  std::multimap<base::MonotonicTime, model::ConversationId> wakes_;
  Marking marking_;
  Rows rows_;
  Histories histories_;
};

}  // namespace tidings::client
