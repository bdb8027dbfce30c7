#include "test/checker/reference.h"

#include <algorithm>

#include <fmt/format.h>

namespace tidings::checker {
namespace {

constexpr size_t intervals_max = 8;  // docs/design/people.md

// One event after another.
struct Joining {
  Reference::Conversation& c;
  const Observed& event;
  model::History& history;

  void joins(model::UserId user) {
    auto& [intervals, forgotten] = c.members[user];
    if (history == model::History::all) {
      intervals = {{1, 0}};
      return;
    }
    if (intervals.size() == intervals_max) {
      forgotten.push_back(intervals.front());
      intervals.erase(intervals.begin());
    }
    intervals.push_back({event.seq.value, 0});
  }
  void goes(model::UserId user) {
    auto& intervals = c.members[user].intervals;
    if (!intervals.empty()) intervals.back().until = event.seq.value;
  }
  void operator()(const model::ConversationCreated& created) {
    history = created.history;
    c.title = created.title;
    c.kind = created.kind;
    for (const auto user : created.members) joins(user);
  }
  void operator()(const model::ConversationUpdated& updated) {
    if (updated.title) c.title = *updated.title;
    if (updated.history) history = *updated.history;
  }
  void operator()(const model::MembersAdded& added) {
    for (const auto user : added.members) joins(user);
  }
  void operator()(const model::MemberRemoved& removed) { goes(removed.user); }
  void operator()(const model::MemberLeft& left) { goes(left.user); }
  void operator()(const model::RoleChanged&) {}
  void operator()(const model::MessageCreated&) {}
  void operator()(const model::ConversationListed&) { own(); }
  void operator()(const model::BlockSet&) { own(); }
  // A person's own log.
  void own() {
    c.kind = model::ConversationKind::self;
    auto& intervals = c.members[event.from].intervals;
    if (intervals.empty()) intervals.push_back({1, 0});
  }
};

}  // namespace

std::string describe(const Observed& event) {
  return fmt::format("seq {} (id {}, client id {}, from {}) of {}", event.seq.value, event.id.value,
                     model::to_text(event.client_id), event.from.value, model::to_text(event.conversation));
}

namespace {

bool covers(const std::vector<Reference::Interval>& intervals, uint64_t seq) {
  return std::any_of(intervals.begin(), intervals.end(), [seq](const Reference::Interval& i) {
    return seq >= i.since && (i.until == 0 || seq <= i.until);
  });
}

}  // namespace

bool Reference::Member::may_read(uint64_t seq) const {
  return covers(intervals, seq);
}

bool Reference::Member::might_read(uint64_t seq) const {
  return may_read(seq) || covers(forgotten, seq);
}

Reference::Reference(const History& history, const Blame& blame) {
  for (const auto& copy : history.copies()) {
    if (!copy.fresh) continue;
    auto& events = all_[copy.conversation].events;
    uint64_t before = 0;
    for (const auto& event : copy.events) {
      if (event.seq.value <= before) {
        blame(Law::contiguous,
              fmt::format("{} holds {} behind seq {}", copy.holder, describe(event), before));
        continue;
      }
      before = event.seq.value;
      if (event.seq.value > events.size()) events.resize(event.seq.value);
      auto& slot = events[event.seq.value - 1];
      if (slot.seq.value == 0) slot = event;
    }
  }
  for (auto& [conversation, c] : all_) {
    model::History since = model::History::joining;
    model::MessageId last;
    for (size_t i = 0; i < c.events.size(); ++i) {
      const auto& event = c.events[i];
      if (event.seq.value == 0) {
        blame(Law::contiguous,
              fmt::format("seq {} of {} was pulled by nobody", i + 1, model::to_text(conversation)));
        continue;
      }
      if (event.id <= last) {
        blame(Law::order, fmt::format("ids do not grow with seq at {}", describe(event)));
      }
      last = event.id;
      if (event.body) std::visit(Joining{c, event, since}, *event.body);
    }
    // Whose own log it is stands in its id alone.
    if (c.kind != model::ConversationKind::self) continue;
    c.members.clear();
    for (const auto& device : history.devices()) {
      if (model::self_conversation(device.user) == conversation) c.members[device.user].intervals = {{1, 0}};
    }
  }
}

const Reference::Conversation* Reference::find(const model::ConversationId& conversation) const {
  const auto found = all_.find(conversation);
  return found == all_.end() ? nullptr : &found->second;
}

const Observed* Reference::at(const model::ConversationId& conversation, model::Seq seq) const {
  const auto* c = find(conversation);
  if (!c || seq.value == 0 || seq.value > c->events.size()) return nullptr;
  const auto& event = c->events[seq.value - 1];
  return event.seq == seq ? &event : nullptr;
}

bool Reference::may_read(model::UserId user, const model::ConversationId& conversation,
                         model::Seq seq) const {
  const auto* c = find(conversation);
  if (!c) return false;
  const auto member = c->members.find(user);
  return member != c->members.end() && member->second.may_read(seq.value);
}

bool Reference::might_read(model::UserId user, const model::ConversationId& conversation,
                           model::Seq seq) const {
  const auto* c = find(conversation);
  if (!c) return false;
  const auto member = c->members.find(user);
  return member != c->members.end() && member->second.might_read(seq.value);
}

bool Reference::is_closed_to(model::UserId user, const model::ConversationId& conversation, uint64_t from,
                             uint64_t to) const {
  for (uint64_t seq = from; seq <= to; ++seq) {
    if (may_read(user, conversation, model::Seq{seq})) return false;
  }
  return true;
}

}  // namespace tidings::checker
