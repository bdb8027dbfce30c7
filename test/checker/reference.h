// What is stored in the end, put together from all fresh copies, because of a group each sees only what its
// person may; and what follows from it: who was a member when, who may read what.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "test/checker/checker.h"
#include "test/checker/history.h"

namespace tidings::checker {

using Blame = std::function<void(Law, std::string)>;

class Reference {
 public:
  // Tells of copies that do not fit together, and of seqs that nobody has.
  Reference(const History& history, const Blame& blame);

  struct Interval {
    uint64_t since = 0, until = 0;  // 0: still a member
  };
  struct Member {
    std::vector<Interval> intervals;
    std::vector<Interval> forgotten;  // older ones, which the server no longer knows
    bool in() const { return !intervals.empty() && intervals.back().until == 0; }
    bool may_read(uint64_t seq) const;
    // Now, or once.
    bool might_read(uint64_t seq) const;
  };
  struct Conversation {
    std::vector<Observed> events;             // [seq - 1]; seq 0: nobody has it
    std::map<model::UserId, Member> members;  // who are or were
    std::string title;
    model::ConversationKind kind = model::ConversationKind::direct;
    uint64_t head() const { return events.size(); }
  };

  const std::map<model::ConversationId, Conversation>& all() const { return all_; }
  const Conversation* find(const model::ConversationId& conversation) const;
  // nullptr if there is none.
  const Observed* at(const model::ConversationId& conversation, model::Seq seq) const;
  bool may_read(model::UserId user, const model::ConversationId& conversation, model::Seq seq) const;
  bool might_read(model::UserId user, const model::ConversationId& conversation, model::Seq seq) const;
  // Nothing from..to, both included, is for this person.
  bool is_closed_to(model::UserId user, const model::ConversationId& conversation, uint64_t from,
                    uint64_t to) const;

 private:
  std::map<model::ConversationId, Conversation> all_;
};

std::string describe(const Observed& event);

}  // namespace tidings::checker
