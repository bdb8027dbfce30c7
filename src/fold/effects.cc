// What follows in other conversations from an event (protocol.md §3).
#include <array>

#include "fold/fold.h"

namespace tidings::fold {

namespace {

struct Effects {
  const model::Event& event;
  model::Position position;
  std::vector<model::Effect> out;

  void add(const model::ConversationId& where, decltype(model::Effect::body) body) {
    out.push_back({where, event.conversation, position, event.from, body});
  }
  void list(model::UserId person, model::ConversationKind kind, bool listed) {
    add(model::self_conversation(person), model::Effect::Listing{person, kind, listed});
  }

  void operator()(const model::ConversationCreated& created) {
    for (const auto user : created.members) list(user, created.kind, true);
  }
  // Only groups have these.
  void operator()(const model::MembersAdded& added) {
    for (const auto user : added.members) list(user, model::ConversationKind::group, true);
  }
  void operator()(const model::MemberRemoved& removed) {
    list(removed.user, model::ConversationKind::group, false);
  }
  void operator()(const model::MemberLeft& left) { list(left.user, model::ConversationKind::group, false); }
  void operator()(const model::BlockSet& block) {
    add(model::direct_conversation(event.from, block.user),
        model::Effect::Blocking{event.from, block.user, block.blocked});
  }
  void operator()(const model::MessageCreated&) {}
  void operator()(const model::ConversationUpdated&) {}
  void operator()(const model::RoleChanged&) {}
  void operator()(const model::ConversationListed&) {}
};

}  // namespace

std::vector<model::Effect> effects_of(const model::Event& event, model::Position position) {
  Effects effects{event, position, {}};
  std::visit(effects, event.body);
  return std::move(effects.out);
}

namespace {

template <class Body>
constexpr bool causes_effects = false;
template <>
constexpr bool causes_effects<model::ConversationCreated> = true;
template <>
constexpr bool causes_effects<model::MembersAdded> = true;
template <>
constexpr bool causes_effects<model::MemberRemoved> = true;
template <>
constexpr bool causes_effects<model::MemberLeft> = true;
template <>
constexpr bool causes_effects<model::BlockSet> = true;

template <class... Bodies>
constexpr std::array<bool, sizeof...(Bodies)> table_of(const std::variant<Bodies...>*) {
  return {causes_effects<Bodies>...};
}
constexpr auto table = table_of(static_cast<const decltype(model::Event::body)*>(nullptr));

}  // namespace

bool has_effects(uint8_t kind) {
  return kind >= 1 && kind <= table.size() && table[kind - 1];
}

}  // namespace tidings::fold
