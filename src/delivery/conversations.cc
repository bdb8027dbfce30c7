#include "delivery/conversations.h"

#include "base/check.h"

namespace tidings::delivery {

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
  parts_.readers.post([this, id = conversation.id] {
    auto bytes = parts_.store.load_state(id);
    parts_.executor.post([this, id, bytes = std::move(bytes)]() mutable { loaded(id, std::move(bytes)); });
  });
}

void Conversations::loaded(const model::ConversationId& id, base::Result<std::optional<base::Bytes>> bytes) {
  --loads_in_flight_;
  if (!bytes) return parts_.fatal("a conversation could not be loaded: " + bytes.error().sentence);
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
                            std::function<void(Conversation&, fold::Found)> done) {
  TIDINGS_CHECK(conversation.phase == Conversation::Phase::ready);
  conversation.phase = Conversation::Phase::looking_up;
  look_ups_.add();
  parts_.readers.post([this, id = conversation.id, user, needed, done = std::move(done)]() mutable {
    base::Result<fold::Found> found = fold::Found{};
    const auto find_one = [&](const std::optional<model::ClientId>& wanted,
                              std::optional<fold::Entry>& into) {
      if (!wanted || !found) return;
      auto bytes = parts_.store.find_entry(id, user, *wanted);
      if (!bytes) {
        found = base::fail(bytes.error());
      } else if (*bytes) {
        auto entry = fold::decode_entry(**bytes);
        if (entry) {
          into = *entry;
        } else {
          found = base::fail(entry.error());
        }
      }
    };
    fold::Found both;
    find_one(needed.own, both.own);
    find_one(needed.previous, both.previous);
    if (found) found = std::move(both);
    parts_.executor.post([this, id, found = std::move(found), done = std::move(done)]() mutable {
      if (!found) return parts_.fatal("a dedupe entry could not be read: " + found.error().sentence);
      Conversation& c = *all_.at(id);
      c.phase = Conversation::Phase::ready;
      done(c, std::move(*found));
      parts_.ready(c);
    });
  });
}

void Conversations::drop_if_empty(Conversation& conversation) {
  if (!conversation.is_empty_shell()) return;
  states_.add(-1);
  const model::ConversationId id = conversation.id;
  all_.erase(id);
}

}  // namespace tidings::delivery
