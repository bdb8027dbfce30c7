#include "delivery/flush.h"

#include <algorithm>

#include "base/check.h"
#include "wire/record.h"

namespace tidings::delivery {

void Flush::note(Conversation& conversation) {
  if (conversation.dirty) return;
  conversation.dirty = true;
  dirty_.push_back(&conversation);
}

void Flush::note_members(Conversation& conversation, const std::vector<model::UserId>& users) {
  for (const auto user : users) {
    conversation.new_members.push_back(user);
    unlisted_[user].push_back(conversation.id);
  }
}

ports::StoreBatch Flush::take() {
  TIDINGS_CHECK(!under_way_);
  under_way_ = true;
  ports::StoreBatch batch;
  batch.states.reserve(dirty_.size());
  for (Conversation* c : dirty_) {
    c->dirty = false;
    Taken taken{c->id, c->state.seq, {}, std::exchange(c->new_members, {})};
    batch.states.push_back({c->id, c->state.applied, fold::encode_state(c->state)});
    pack(*c, batch);
    for (const auto& [key, entry] : c->entries) {
      batch.entries.push_back({c->id, key.first, key.second, fold::encode_entry(entry)});
      taken.entries.push_back(key);
    }
    for (const auto user : taken.members) batch.list_rows.push_back({user, c->id});
    taken_.push_back(std::move(taken));
  }
  dirty_.clear();
  batch.checkpoints = dispatcher_.take_changed_checkpoints();
  return batch;
}

// The events that went into no flush yet, in rows that a page can read without much more than it shows.
void Flush::pack(Conversation& c, ports::StoreBatch& batch) const {
  ports::StoreBatch::Chunk chunk{c.id, {c.taken.value + 1}, c.taken, {}};
  for (const auto& event : c.tail) {
    if (event.seq <= c.taken) continue;
    if (chunk.value.size() >= chunk_bytes_max_) {
      batch.chunks.push_back(std::move(chunk));
      chunk = {c.id, event.seq, event.seq, {}};
    }
    wire::append_event(chunk.value, event);
    chunk.last = event.seq;
  }
  if (!chunk.value.empty()) batch.chunks.push_back(std::move(chunk));
  c.taken = c.state.seq;
}

void Flush::committed() {
  under_way_ = false;
  for (auto& taken : taken_) {
    for (const auto user : taken.members) {
      const auto it = unlisted_.find(user);
      std::erase(it->second, taken.conversation);
      if (it->second.empty()) unlisted_.erase(it);
    }
    Conversation* c = conversations_.find(taken.conversation);
    TIDINGS_CHECK(c != nullptr);
    while (!c->tail.empty() && c->tail.front().seq <= taken.upto) c->tail.pop_front();
    for (const auto& key : taken.entries) c->entries.erase(key);
  }
  taken_.clear();
}

std::vector<model::ConversationId> Flush::unlisted(model::UserId user) const {
  const auto it = unlisted_.find(user);
  return it == unlisted_.end() ? std::vector<model::ConversationId>{} : it->second;
}

}  // namespace tidings::delivery
