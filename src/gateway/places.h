// How far the acks of a session prove that its device holds a conversation (docs/design/people.md, "Delivered
// from acks"). It remembers which place of which conversation was written under which frame number; an ack of
// that number makes it a mark, where the session is contiguous: the device lacks nothing below.
//
// A session is contiguous nowhere before its first sync is complete; after it everywhere but in the
// conversations that a sync listed or that its person joined since, and there from the end of a pull on. What
// was written and acked before that sync is complete counts when it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "gateway/queue.h"
#include "model/ids.h"

namespace tidings::gateway {

class Places {
 public:
  struct Delivered {
    model::ConversationId conversation;
    model::Seq seq;
    friend bool operator==(const Delivered&, const Delivered&) = default;
  };

  // At most so many places wait for their acks: a conversation whose place finds no room is not contiguous
  // until the end of its next pull. Beyond `unsettled_max` conversations that are not, none ever is again.
  Places(size_t places_max, size_t unsettled_max) : places_max_(places_max), unsettled_max_(unsettled_max) {}

  // Counted frame `number` was a live event.
  void event(uint64_t number, const model::ConversationId& conversation, model::Seq seq);
  // It was the last page of a pull: nothing was above `upto`.
  void end_of_pull(uint64_t number, const model::ConversationId& conversation, model::Seq upto);
  // The device may lack something below what comes next: its person just became a member.
  void lacks(const model::ConversationId& conversation) { unsettle(conversation); }
  // Or of any conversation: as before the first sync.
  void lacks_any();
  // The answer of a sync of from..to listed these; `next`: where it was cut. What it gives may become a mark.
  std::vector<Delivered> synced(const model::ConversationId& from, const model::ConversationId& to,
                                const std::optional<model::ConversationId>& next,
                                const std::vector<model::ConversationId>& listed);
  // Everything up to this number is stored: what may become a mark, each conversation once.
  std::vector<Delivered> acked(uint64_t number);

  size_t waiting() const { return places_.size() + (early_ ? early_->size() : 0); }

  // Conversations where it is not contiguous.
  size_t unsettled() const { return unsettled_ ? unsettled_->size() : 0; }

 private:
  struct Place {
    uint64_t number;
    Delivered what;
  };

  bool is_contiguous(const model::ConversationId& conversation) const;
  void add(uint64_t number, const model::ConversationId& conversation, model::Seq seq);
  void unsettle(const model::ConversationId& conversation);

  const size_t places_max_, unsettled_max_;
  bool complete_ = false;                       // the first sync is
  std::optional<model::ConversationId> below_;  // until then: all below it are synced; nullopt: nothing yet
  bool given_up_ = false;
  using Newest = std::unordered_map<model::ConversationId, model::Seq>;

  std::unique_ptr<std::unordered_set<model::ConversationId>> unsettled_;  // nullptr: none
  Queue<Place> places_;                                                   // by number
  std::unique_ptr<Newest> early_;  // acked before the first sync was complete; nullptr: none
};

}  // namespace tidings::gateway
