// What the store does not have yet, and how it gets there: one batch at a time, rows, entries, states and
// checkpoints of all that was folded (protocol.md §3). Keeps what is on its way readable until it is
// committed.
#pragma once

#include <unordered_map>
#include <vector>

#include "delivery/conversations.h"
#include "ports/store.h"
#include "wire/record.h"

namespace tidings::delivery {

class Flush {
 public:
  Flush(Conversations& conversations, size_t chunk_bytes_max)
      : conversations_(conversations), chunk_bytes_max_(chunk_bytes_max) {}

  // The conversation differs from what the store has.
  void note(Conversation& conversation);
  // These people see the conversation from now on.
  void note_members(Conversation& conversation, const std::vector<model::UserId>& users);
  // An event for the feed.
  void note_event(const model::Event& event, model::Position position);

  bool anything() const { return !dirty_.empty(); }
  bool under_way() const { return under_way_; }
  // All that was noted, as one batch, but for the checkpoints. Not while one is under way.
  ports::StoreBatch take();
  // The batch of take() is committed: what it held is read from the store from now on.
  void committed();

  // Conversations that the person sees and the store does not list yet.
  std::vector<model::ConversationId> unlisted(model::UserId user) const;

 private:
  struct Taken {
    model::ConversationId conversation;
    model::Seq upto;
    std::vector<std::pair<model::UserId, model::ClientId>> entries;
    std::vector<model::UserId> members;
  };
  Taken take(Conversation& conversation, ports::StoreBatch& batch) const;
  void pack_events(Conversation& conversation, ports::StoreBatch& batch) const;

  Conversations& conversations_;
  const size_t chunk_bytes_max_;
  std::vector<model::ConversationId> dirty_;
  std::vector<wire::FeedRow> feed_;
  base::WallTime feed_time_{};  // of its newest
  std::vector<Taken> taken_;
  bool under_way_ = false;
  std::unordered_map<model::UserId, std::vector<model::ConversationId>> unlisted_;
};

}  // namespace tidings::delivery
