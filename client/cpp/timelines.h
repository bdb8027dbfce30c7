// All conversations of this client: the sync after each welcome, the pulls that close gaps, and what follows
// when the server's history turns out to be another one. Does no I/O; one thread; the caller passes the time
// in, writes the frames that due() gives, and cuts the connection if a call returns false: no honest server
// sends that.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/cpp/timeline.h"
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
    virtual void on_reset(const model::ConversationId& conversation) = 0;
    // Own messages that the server had ticked and has no more.
    virtual void on_lost(const model::ConversationId& conversation, std::vector<OutboxMessage> lost) = 0;
  };

  Timelines(ports::Random& random, Sink& sink, uint64_t& last_request)
      : random_(random), sink_(sink), last_request_(last_request) {}

  // After a welcome: a sync begins, and live events wait until it is over.
  void connected(model::UserId self, const std::string& branch, size_t pulls_max, size_t chunk_rows_max);
  void disconnected();

  [[nodiscard]] bool add(const model::Event& event, base::MonotonicTime now);
  [[nodiscard]] bool page(const wire::PageFrame& page, base::MonotonicTime now);
  [[nodiscard]] bool synced(const wire::SyncAnswer& answer, base::MonotonicTime now);
  // A refusal; ignored if its request is none of ours.
  [[nodiscard]] bool refused(const wire::ErrorFrame& error, base::MonotonicTime now);
  // There is an event of this seq that did not come here.
  void expect(const model::ConversationId& conversation, model::Seq seq, base::MonotonicTime now);

  std::vector<wire::ClientFrame> due(base::MonotonicTime now);
  std::optional<base::MonotonicTime> next() const;

  // Something came: answers that are waited for may stand behind it.
  void heard(base::MonotonicTime now);
  // A large answer may be on its way.
  bool asks_for_pages() const { return !in_flight_.empty() || !late_.empty() || sync_request_ != 0; }

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
  std::vector<ConversationView> views() const;
  std::vector<model::Event> events(const model::ConversationId& conversation) const;

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
        false;          // the server started anew, and no pull has shown yet that it agrees with our copy
    bool gone = false;  // the server does not know it
  };
  struct InFlight {
    model::ConversationId conversation;
    model::Seq after;
    base::MonotonicTime asked{};
    base::MonotonicTime deadline{};
  };

  Conversation* find_or_add(const model::ConversationId& id);
  const Conversation* find(const model::ConversationId& id) const;
  bool settle(Conversation& conversation, Timeline::Outcome outcome, const Timeline::Applied& applied,
              base::MonotonicTime now);
  std::optional<InFlight> answered(wire::Request request);
  void forget_requests(const model::ConversationId& id);
  void want_pull(Conversation& conversation, base::MonotonicTime now, base::nanoseconds delay);
  void look_for_gap(Conversation& conversation, base::MonotonicTime now);
  void reset(Conversation& conversation, base::MonotonicTime now);
  void forget_gone(Conversation& conversation);
  void try_later(Conversation& conversation, std::optional<uint64_t> retry_ms, base::MonotonicTime now);
  bool end_sync(base::MonotonicTime now);

  ports::Random& random_;
  Sink& sink_;
  uint64_t& last_request_;
  Held held_;
  std::map<model::ConversationId, Conversation> conversations_;
  model::UserId self_;
  std::string branch_;
  size_t pulls_max_ = 8;

  bool connected_ = false;
  bool syncing_ = true;
  VectorSync sync_;
  int sync_refused_ = 0;
  wire::Request sync_request_ = 0;  // 0: to be sent at sync_at_
  base::MonotonicTime sync_asked_{};
  base::MonotonicTime sync_at_ = base::MonotonicTime::min();  // to send, or to send again

  std::set<model::ConversationId> unsettled_;
  std::deque<model::ConversationId> queue_;
  std::map<wire::Request, InFlight> in_flight_;
  std::map<wire::Request, InFlight> late_;  // asked again meanwhile; their pages are still good
  std::multimap<base::MonotonicTime, model::ConversationId> wakes_;
};

}  // namespace tidings::client
