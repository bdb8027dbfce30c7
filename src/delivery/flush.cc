#include "delivery/flush.h"

#include <algorithm>

#include "base/check.h"

namespace tidings::delivery {

namespace {

// Read steps and delivered steps of a person stand under the same key, apart from each other
// (docs/formats/store.md).
void pack_steps(Conversation& c, ports::StoreBatch& batch) {
  for (const auto& [user, time] : std::exchange(c.marks_moved, {})) {
    const fold::Member* m = c.state.member(user);
    if (!m) continue;
    const auto value = wire::encode_step({time, m->shown_read, m->delivered});
    batch.steps.push_back({c.id, user, m->shown_read, value});
    batch.steps.push_back({c.id, user, {m->delivered.value | wire::delivered_step}, value});
  }
}

}  // namespace

void Flush::note(Conversation& conversation) {
  if (conversation.dirty) return;
  conversation.dirty = true;
  dirty_.push_back(conversation.id);
}

void Flush::note_members(Conversation& conversation, const std::vector<model::UserId>& users) {
  for (const auto user : users) {
    conversation.new_members.push_back(user);
    unlisted_[user].push_back(conversation.id);
  }
}

void Flush::note_event(const model::Event& event, model::Position position) {
  feed_.push_back({position, event.conversation, event.seq, static_cast<uint8_t>(event.body.index() + 1)});
  feed_time_ = std::max(feed_time_, event.time);
}

ports::StoreBatch Flush::take() {
  TIDINGS_CHECK(!under_way_);
  under_way_ = true;
  ports::StoreBatch batch;
  batch.states.reserve(dirty_.size());
  for (const auto& id : std::exchange(dirty_, {})) {
    Conversation* c = conversations_.find(id);
    if (c && c->dirty) taken_.push_back(take(*c, batch));
  }
  if (!feed_.empty()) {
    const auto newest = std::ranges::max(feed_, {}, &wire::FeedRow::position).position;
    batch.feed.push_back({newest, feed_time_, wire::encode_feed(feed_)});
    feed_.clear();
  }
  return batch;
}

Flush::Taken Flush::take(Conversation& c, ports::StoreBatch& batch) const {
  c.dirty = false;
  c.in_flush = true;
  Taken taken{c.id, c.state.seq, {}, std::exchange(c.new_members, {})};
  auto encoded = fold::encode_state(c.state);
  fold::mark_saved(c.state);
  batch.states.push_back({c.id, c.state.applied, std::move(encoded.value), std::move(encoded.parts)});
  pack_events(c, batch);
  pack_steps(c, batch);
  for (const auto& [key, left] : c.entries) {
    taken.entries.push_back(key);
    if (!left.in_block)
      batch.entries.push_back({c.id, key.first, key.second, fold::encode_entry(left.entry)});
  }
  for (const auto& [user, block] : std::exchange(c.blocks, {})) {
    batch.entry_blocks.push_back(
        {c.id, user, block.front().client_id, block.back().client_id, fold::encode_block(block)});
  }
  for (const auto user : taken.members) batch.list_rows.push_back({user, c.id});
  if (c.damaged) batch.damaged.push_back({c.id, *std::exchange(c.damaged, std::nullopt)});
  return taken;
}

// The events that went into no flush yet, in rows that a page can read without much more than it shows.
void Flush::pack_events(Conversation& c, ports::StoreBatch& batch) const {
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
      if (it == unlisted_.end()) continue;  // came in twice: the row is there once
      std::erase(it->second, taken.conversation);
      if (it->second.empty()) unlisted_.erase(it);
    }
    Conversation* c = conversations_.find(taken.conversation);
    TIDINGS_CHECK(c != nullptr);
    c->in_flush = false;
    conversations_.committed(*c);
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
