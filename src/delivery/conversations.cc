#include "delivery/conversations.h"

#include "base/check.h"
#include "base/log_line.h"
#include "base/seed_bug.h"

namespace tidings::delivery {

namespace {
constexpr auto read_retry_interval = std::chrono::seconds(1);
// How many of the oldest are looked at when one must go; the rest is younger and likelier to be in use.
constexpr size_t eviction_candidates_max = 64;
constexpr size_t read_entries_max = 64;
}  // namespace

Conversations::Conversations(Parts parts)
    : parts_(std::move(parts)),
      loads_in_flight_(parts_.metrics.gauge("tidings_delivery_loads_in_flight",
                                            "States that are being read from the store.")),
      states_(parts_.metrics.gauge("tidings_delivery_states", "Conversations in memory.")),
      loads_(parts_.metrics.counter("tidings_delivery_loads_total", "States read from the store.")),
      evictions_(parts_.metrics.counter("tidings_delivery_evictions_total",
                                        "Conversations that left memory to make room.")),
      look_ups_(
          parts_.metrics.counter("tidings_delivery_look_ups_total", "Dedupe entries read from the store.")) {}

Conversation* Conversations::find(const model::ConversationId& id) {
  const auto it = all_.find(id);
  return it == all_.end() ? nullptr : it->second.get();
}

Conversation& Conversations::must_get(const model::ConversationId& id) {
  auto& slot = all_[id];
  if (slot) {
    by_age_.splice(by_age_.end(), by_age_, slot->age);
    return *slot;
  }
  slot = std::make_unique<Conversation>();
  slot->id = id;
  slot->partition = model::partition_of(id);
  slot->age = by_age_.insert(by_age_.end(), slot.get());
  states_.add(1);
  Conversation& added = *slot;
  // What is in the log must be folded, whether there is room or not.
  (void)make_room();
  load(added);
  return added;
}

Conversation* Conversations::try_get(const model::ConversationId& id) {
  if (all_.contains(id)) return &must_get(id);
  if (load_would_wait(id) || !make_room()) return nullptr;
  return &must_get(id);
}

bool Conversations::make_room() {
  size_t looked = 0;
  for (auto it = by_age_.begin();
       it != by_age_.end() && all_.size() >= parts_.limits.states_max && looked < eviction_candidates_max;
       ++looked) {
    Conversation& oldest = **it++;
    if (!may_leave(oldest)) continue;
    evictions_.add();
    forget(oldest);
  }
  return all_.size() < parts_.limits.states_max;
}

bool Conversations::may_leave(const Conversation& c) const {
  if (!lists_.empty() && c.committed_epoch >= *lists_.begin()) return false;
  if (TIDINGS_SEED_BUG(8))
    return c.phase == Conversation::Phase::ready && !c.in_flush && c.expected == 0 && c.queue.empty() &&
           c.waiting_queries.empty();
  return c.is_clean();
}

void Conversations::forget(Conversation& conversation) {
  states_.add(-1);
  by_age_.erase(conversation.age);
  const model::ConversationId id = conversation.id;
  all_.erase(id);
}

bool Conversations::load_would_wait(const model::ConversationId& id) const {
  return loads_in_flight_ >= parts_.limits.loads_in_flight_max && !all_.contains(id);
}

void Conversations::load(Conversation& conversation) {
  ++loads_in_flight_;
  loads_.add();
  read_state(conversation.id);
}

void Conversations::read_state(const model::ConversationId& id) {
  parts_.readers.post([this, id] {
    auto stored = parts_.store.load_state(id);
    parts_.executor.post([this, id, stored = std::move(stored)]() mutable { loaded(id, std::move(stored)); });
  });
}

void Conversations::loaded(const model::ConversationId& id,
                           base::Result<std::optional<ports::StoredState>> stored) {
  if (!stored) {
    // Only this conversation waits; its records stay pending, and no checkpoint passes them.
    base::log_error("a conversation could not be loaded and is tried again: {}", stored.error().sentence);
    parts_.executor.after(read_retry_interval, [this, id] { read_state(id); });
    return;
  }
  --loads_in_flight_;
  Conversation& c = *all_.at(id);
  c.phase = Conversation::Phase::ready;
  if (*stored) {
    auto state = fold::decode_state(**stored);
    if (state) {
      c.state = std::move(*state);
      c.taken = c.state.seq;
    } else {
      base::log_error("conversation {} is taken out: {}", model::to_text(id), state.error().sentence);
      c.phase = Conversation::Phase::damaged;
      c.damaged = std::move((*stored)->value);
    }
  }
  auto waiting = std::exchange(c.waiting_queries, {});
  for (auto& query : waiting) query();
  if (c.phase == Conversation::Phase::damaged) parts_.damaged(c);
  parts_.ready(c);
}

void Conversations::look_up(Conversation& conversation, model::UserId user, const fold::Lookups& needed,
                            LookedUp done) {
  TIDINGS_CHECK(conversation.phase == Conversation::Phase::ready);
  conversation.phase = Conversation::Phase::looking_up;
  look_ups_.add();
  read_entries(conversation.id, user, needed, std::move(done));
}

void Conversations::read_entries(const model::ConversationId& id, model::UserId user,
                                 const fold::Lookups& needed, LookedUp done) {
  parts_.readers.post([this, id, user, needed, done = std::move(done)]() mutable {
    auto own = find_entries(id, user, needed.own), previous = find_entries(id, user, needed.previous);
    parts_.executor.post([this, id, user, needed, own = std::move(own), previous = std::move(previous),
                          done = std::move(done)]() mutable {
      if (!own || !previous) {
        base::log_error("a dedupe entry could not be read and is tried again: {}",
                        (own ? previous : own).error().sentence);
        parts_.executor.after(read_retry_interval,
                              [this, id, user, needed, done = std::move(done)]() mutable {
                                read_entries(id, user, needed, std::move(done));
                              });
        return;
      }
      Conversation& c = *all_.at(id);
      c.phase = Conversation::Phase::ready;
      const auto found = [&](const auto& entries, const std::optional<model::ClientId>& wanted) {
        if (c.read_entries.size() > read_entries_max) c.read_entries.clear();
        for (const auto& e : entries) c.read_entries.emplace(std::pair(user, e.client_id), e.entry);
        const fold::Entry* entry = wanted ? fold::find_entry(entries, *wanted) : nullptr;
        return entry ? std::optional(*entry) : std::nullopt;
      };
      const auto of_own = found(*own, needed.own), of_previous = found(*previous, needed.previous);
      done(c, {of_own, of_previous});
      if (c.queue.empty()) c.read_entries.clear();
      parts_.ready(c);
    });
  });
}

base::Result<std::vector<fold::KeyedEntry>> Conversations::find_entries(
    const model::ConversationId& id, model::UserId user, const std::optional<model::ClientId>& wanted) {
  if (!wanted) return std::vector<fold::KeyedEntry>();
  auto found = parts_.store.find_entry(id, user, *wanted);
  if (!found) return base::fail(found.error());
  return fold::decode_found(*found, *wanted);
}

void Conversations::drop_if_empty(Conversation& conversation) {
  if (conversation.is_empty_shell()) forget(conversation);
}

}  // namespace tidings::delivery
