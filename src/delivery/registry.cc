#include "delivery/registry.h"

#include <algorithm>

#include "base/seed_bug.h"
#include "wire/frames.h"

namespace tidings::delivery {

Registry::Registry(const base::Limits& limits, base::Registry& metrics)
    : limits_(limits),
      audiences_gauge_(metrics.gauge("tidings_delivery_audiences",
                                     "Groups of which it is remembered who heard the newest message.")) {}

void Registry::add_link(uint64_t gateway, ports::LinkToGateway& link) {
  ++version_;
  const auto free = std::ranges::find(gateways_, nullptr, &Gateway::link);
  if (free != gateways_.end()) {
    *free = {gateway, &link};
    return;
  }
  gateways_.push_back({gateway, &link});
  people_.emplace_back();
}

static uint32_t index_of(const auto& gateways, uint64_t id) {
  for (uint32_t i = 0; i < gateways.size(); ++i) {
    if (gateways[i].link && gateways[i].id == id) return i;
  }
  return UINT32_MAX;
}

void Registry::remove_link(uint64_t gateway) {
  ++version_;
  const uint32_t index = index_of(gateways_, gateway);
  if (index == UINT32_MAX) return;
  gateways_[index] = {0, nullptr};
  for (auto& [user, where] : attached_) std::erase(where, index);
  std::erase_if(attached_, [](const auto& entry) { return entry.second.empty(); });
}

void Registry::attach(uint64_t gateway, model::UserId user) {
  ++version_;
  const uint32_t index = index_of(gateways_, gateway);
  if (index == UINT32_MAX) return;
  auto& where = attached_[user];
  if (std::find(where.begin(), where.end(), index) == where.end()) where.push_back(index);
}

void Registry::detach(uint64_t gateway, model::UserId user) {
  ++version_;
  const auto it = attached_.find(user);
  if (it == attached_.end()) return;
  std::erase(it->second, index_of(gateways_, gateway));
  if (it->second.empty()) attached_.erase(it);
}

void Registry::send(uint64_t gateway, ports::DownFrame frame) {
  const uint32_t index = index_of(gateways_, gateway);
  if (index != UINT32_MAX) gateways_[index].link->send(std::move(frame));
}

bool Registry::gather(model::UserId user) {
  constexpr size_t people_first = 8;  // their vector travels with the frame: it begins large enough for most
  const auto it = attached_.find(user);
  if (it == attached_.end()) return false;
  for (const uint32_t index : it->second) {
    auto& people = people_[index];
    if (people.capacity() == 0) people.reserve(people_first);
    people.push_back(user);
  }
  return true;
}

// Who is told of an event without being a member any more: its interval ends with it.
static std::optional<model::UserId> gone_with(const model::Event& event) {
  if (const auto* removed = std::get_if<model::MemberRemoved>(&event.body)) return removed->user;
  if (const auto* left = std::get_if<model::MemberLeft>(&event.body)) return left->user;
  return std::nullopt;
}

// Only events change who is a member, and a message does not: who heard the event before hears it.
bool Registry::gather_known(const model::Event& event) {
  const auto known = std::ranges::find(audiences_, event.conversation, &Audience::conversation);
  if (known == audiences_.end() || known->version != version_ || known->upto.value + 1 != event.seq.value)
    return false;
  known->upto = event.seq;
  people_ = known->people;
  return true;
}

void Registry::remember(const model::Event& event) {
  auto known = std::ranges::find(audiences_, event.conversation, &Audience::conversation);
  if (known == audiences_.end() && audiences_.size() < limits_.audiences_max) {
    known = audiences_.emplace(audiences_.end());
    ++audiences_gauge_;
  } else if (known == audiences_.end()) {
    known = audiences_.begin() + static_cast<ptrdiff_t>(audience_next_++ % audiences_.size());
  }
  *known = {event.conversation, event.seq, version_, people_};
}

// Looking up a thousand people costs more than all else that a message needs.
bool Registry::gather_members(const model::Event& event, const fold::ConversationState& state) {
  const bool lasts = limits_.audiences_max > 0 && state.members.size() >= limits_.audience_people_min &&
                     std::holds_alternative<model::MessageCreated>(event.body);
  if (lasts && gather_known(event)) return true;
  bool anybody = false;
  for (const auto& member : state.members) {
    const bool hears = member.is_member() || (TIDINGS_SEED_BUG(19) && !member.intervals.empty());
    if (hears && gather(member.user)) anybody = true;
  }
  if (lasts && anybody) remember(event);
  return anybody;
}

void Registry::send_event(const model::Event& event, const fold::ConversationState& state,
                          const model::ReplyTo& except, base::MonotonicTime folded) {
  bool anybody = gather_members(event, state);
  if (const auto gone = gone_with(event); gone && !TIDINGS_SEED_BUG(19) && gather(*gone)) anybody = true;
  if (!anybody) return;
  const std::string bytes = wire::encode_event(event);
  for (size_t i = 0; i < gateways_.size(); ++i) {
    if (people_[i].empty()) continue;
    ports::EventOut out;
    out.conversation = event.conversation;
    out.seq = event.seq;
    out.from = event.from;
    out.people = std::exchange(people_[i], {});
    out.except_session = gateways_[i].id == except.gateway && !except.errors_only ? except.session : 0;
    out.bytes = bytes;
    out.folded = folded;
    if (const auto* added = std::get_if<model::MembersAdded>(&event.body)) out.joined = added->members;
    gateways_[i].link->send(std::move(out));
  }
}

void Registry::send_receipt(const std::vector<model::UserId>& people,
                            const std::function<ports::ReceiptOut()>& make) {
  bool anybody = false;
  for (const auto user : people) anybody = gather(user) || anybody;
  if (!anybody) return;
  const ports::ReceiptOut frame = make();
  for (size_t i = 0; i < gateways_.size(); ++i) {
    if (people_[i].empty()) continue;
    ports::ReceiptOut out = frame;
    out.people = std::exchange(people_[i], {});
    gateways_[i].link->send(std::move(out));
  }
}

}  // namespace tidings::delivery
