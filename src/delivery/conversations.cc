#include "delivery/conversations.h"

#include "base/check.h"
#include "base/log_line.h"

namespace tidings::delivery {

namespace {
constexpr auto read_retry_interval = std::chrono::seconds(1);
}  // namespace

Conversations::Conversations(Parts parts)
    : parts_(std::move(parts)),
      states_(parts_.metrics.gauge("tidings_delivery_states")),
      loads_(parts_.metrics.counter("tidings_delivery_loads_total")),
      look_ups_(parts_.metrics.counter("tidings_delivery_look_ups_total")) {}

Conversation* Conversations::find(const model::ConversationId& id) {
  const auto it = all_.find(id);
  return it == all_.end() ? nullptr : it->second.get();
}

Conversation& Conversations::must_get(const model::ConversationId& id) {
  auto& slot = all_[id];
  if (!slot) {
    slot = std::make_unique<Conversation>();
    slot->id = id;
    slot->partition = model::partition_of(id);
    states_.add(1);
    load(*slot);
  }
  return *slot;
}

Conversation* Conversations::try_get(const model::ConversationId& id) {
  if (Conversation* c = find(id)) return c;
  if (all_.size() >= parts_.limits.states_max || load_would_wait(id)) return nullptr;
  return &must_get(id);
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
    auto bytes = parts_.store.load_state(id);
    parts_.executor.post([this, id, bytes = std::move(bytes)]() mutable { loaded(id, std::move(bytes)); });
  });
}

void Conversations::loaded(const model::ConversationId& id, base::Result<std::optional<base::Bytes>> bytes) {
  if (!bytes) {
    // Only this conversation waits; its records stay pending, and no checkpoint passes them.
    base::log_error("a conversation could not be loaded and is tried again: {}", bytes.error().sentence);
    parts_.executor.after(read_retry_interval, [this, id] { read_state(id); });
    return;
  }
  --loads_in_flight_;
  Conversation& c = *all_.at(id);
  if (*bytes) {
    auto state = fold::decode_state(**bytes);
    if (!state) return parts_.fatal(state.error().sentence);
    c.state = std::move(*state);
    c.taken = c.state.seq;
  }
  c.phase = Conversation::Phase::ready;
  auto waiting = std::exchange(c.waiting_queries, {});
  for (auto& query : waiting) query();
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
    auto own = find_entry(id, user, needed.own), previous = find_entry(id, user, needed.previous);
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
      done(c, {*own, *previous});
      parts_.ready(c);
    });
  });
}

base::Result<std::optional<fold::Entry>> Conversations::find_entry(
    const model::ConversationId& id, model::UserId user, const std::optional<model::ClientId>& wanted) {
  if (!wanted) return std::optional<fold::Entry>();
  auto bytes = parts_.store.find_entry(id, user, *wanted);
  if (!bytes) return base::fail(bytes.error());
  if (!*bytes) return std::optional<fold::Entry>();
  auto entry = fold::decode_entry(**bytes);
  if (!entry) return base::fail(entry.error());
  return std::optional(*entry);
}

void Conversations::drop_if_empty(Conversation& conversation) {
  if (!conversation.is_empty_shell()) return;
  states_.add(-1);
  const model::ConversationId id = conversation.id;
  all_.erase(id);
}

}  // namespace tidings::delivery
