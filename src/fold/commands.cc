#include "fold/commands.h"

#include <algorithm>

#include "base/seed_bug.h"

namespace tidings::fold {

using model::ConversationKind;
using model::Role;
using model::UserId;
using wire::Code;

namespace {

bool same_twice(std::vector<UserId> users) {
  std::ranges::sort(users);
  return std::ranges::adjacent_find(users) != users.end();
}

bool well_formed(const model::Command& command, const model::CreateConversation& create) {
  const auto& members = create.members;
  if (members.empty() || members.front() != command.user || same_twice(members)) return false;
  switch (create.kind) {
    case ConversationKind::direct:
      return members.size() == 2 && create.title.empty() &&
             model::direct_conversation(members[0], members[1]) == command.conversation;
    case ConversationKind::group:
      return members.size() <= members_max &&
             model::group_conversation(command.user, command.client_id) == command.conversation;
    case ConversationKind::self:
      return false;
  }
  return false;
}

// Whom an add would make members.
std::vector<UserId> new_among(const ConversationState& c, const std::vector<UserId>& users) {
  std::vector<UserId> out;
  for (const auto user : users) {
    const Member* known = c.member(user);
    if (!(known && known->is_member())) out.push_back(user);
  }
  return out;
}

const Member* member_now(const ConversationState& c, UserId user) {
  const Member* m = c.member(user);
  return m && m->is_member() ? m : nullptr;
}

size_t owners(const ConversationState& c) {
  return static_cast<size_t>(
      std::ranges::count_if(c.members, [](const auto& m) { return m.is_member() && m.role == Role::owner; }));
}

// Who becomes owner when `leaver`, the last one, goes: the oldest admin, else the oldest member.
std::optional<UserId> successor(const ConversationState& c, UserId leaver) {
  const Member* best = nullptr;
  for (const auto& m : c.members) {
    if (m.user == leaver || !m.is_member()) continue;
    const bool better = !best || m.role > best->role ||
                        (m.role == best->role && m.intervals.back().since < best->intervals.back().since);
    if (better) best = &m;
  }
  return best ? std::optional(best->user) : std::nullopt;
}

void leave(ConversationState& c, UserId user) {
  Member& m = c.known(user);
  m.intervals.back().until = c.seq;
  m.left = {c.ord, c.head_id, c.activity, c.title};
  m.role = Role::member;
  --c.member_count;
}

// --- checks, one for each body

using Checked = wire::Answer<Verdict>;
Checked refuse(Code code) {
  return wire::problem(code);
}

struct Check {
  const ConversationState& c;
  const Member* m;
  const model::Command& command;

  Checked operator()(const model::CreateConversation&) const { return Verdict::accept; }

  Checked operator()(const model::SendMessage&) const {
    if (c.kind == ConversationKind::self) return refuse(Code::mode);
    if (c.kind == ConversationKind::direct &&
        std::ranges::any_of(c.members, [&](const Member& o) { return o.blocks && o.user != m->user; }))
      return refuse(Code::forbidden);
    return Verdict::accept;
  }

  Checked operator()(const model::UpdateConversation& update) const {
    if (const auto refused = in_group(Role::admin)) return refuse(*refused);
    const bool same =
        update.title.value_or(c.title) == c.title && update.history.value_or(c.history) == c.history;
    return same ? Verdict::nothing : Verdict::accept;
  }

  Checked operator()(const model::AddMembers& add) const {
    if (const auto refused = in_group(Role::admin)) return refuse(*refused);
    const auto users = new_among(c, add.users);
    const auto unknown =
        static_cast<size_t>(std::ranges::count_if(users, [&](UserId user) { return !c.member(user); }));
    if (c.member_count + users.size() > members_max || c.members.size() + unknown > members_known_max)
      return refuse(Code::limit);
    return users.empty() ? Verdict::nothing : Verdict::accept;
  }

  Checked operator()(const model::RemoveMember& remove) const {
    if (const auto refused = in_group(Role::admin)) return refuse(*refused);
    if (remove.user == m->user) return refuse(Code::mode);  // one leaves
    const Member* target = member_now(c, remove.user);
    if (!target) return refuse(Code::not_found);
    if (m->role != Role::owner && target->role != Role::member) return refuse(Code::forbidden);
    return Verdict::accept;
  }

  Checked operator()(const model::LeaveConversation&) const {
    if (const auto refused = in_group(Role::member)) return refuse(*refused);
    return Verdict::accept;
  }

  Checked operator()(const model::SetRole& set) const {
    if (const auto refused = in_group(Role::owner)) return refuse(*refused);
    const Member* target = member_now(c, set.user);
    if (!target) return refuse(Code::not_found);
    if (target->role == set.role) return Verdict::nothing;
    if (target->role == Role::owner && owners(c) == 1) return refuse(Code::mode);
    return Verdict::accept;
  }

  Checked operator()(const model::SetBlock& set) const {
    if (c.exists() && c.kind != ConversationKind::self) return refuse(Code::mode);
    const bool blocked = std::ranges::binary_search(c.blocked, set.user);
    if (blocked == set.blocked) return Verdict::nothing;
    if (set.blocked && c.blocked.size() >= blocks_max) return refuse(Code::limit);
    return Verdict::accept;
  }

  std::optional<Code> in_group(Role least) const {
    if (c.kind != ConversationKind::group) return Code::mode;
    if (m->role < least) return Code::forbidden;
    return std::nullopt;
  }
};

// --- changes, likewise

struct Change {
  ConversationState& c;
  model::Command& command;
  using Body = decltype(model::Event::body);

  Body operator()(model::CreateConversation& create) const {
    c.kind = create.kind;
    c.title = create.title;
    c.history = create.history;
    c.created_id = c.head_id;
    const bool roles = create.kind == ConversationKind::group;
    for (const auto user : create.members)
      join(c, user, roles && user == command.user ? Role::owner : Role::member);
    return model::ConversationCreated{create.kind, std::move(create.members), std::move(create.title),
                                      create.history};
  }
  Body operator()(model::SendMessage& send) const { return model::MessageCreated{std::move(send.message)}; }
  Body operator()(model::UpdateConversation& update) const {
    // Only what is new is told.
    if (update.title == c.title) update.title.reset();
    if (update.history == c.history) update.history.reset();
    if (update.title) c.title = *update.title;
    if (update.history) c.history = *update.history;
    return model::ConversationUpdated{std::move(update.title), update.history};
  }
  Body operator()(model::AddMembers& add) const {
    auto users = new_among(c, add.users);
    for (const auto user : users) join(c, user, Role::member);
    return model::MembersAdded{std::move(users)};
  }
  Body operator()(model::RemoveMember& remove) const {
    leave(c, remove.user);
    return model::MemberRemoved{remove.user};
  }
  Body operator()(model::LeaveConversation&) const {
    std::optional<UserId> heir;
    if (c.member(command.user)->role == Role::owner && owners(c) == 1) heir = successor(c, command.user);
    leave(c, command.user);
    if (heir) c.known(*heir).role = Role::owner;
    return model::MemberLeft{command.user, heir};
  }
  Body operator()(model::SetRole& set) const {
    c.known(set.user).role = set.role;
    return model::RoleChanged{set.user, set.role};
  }
  Body operator()(model::SetBlock& set) const {
    const auto at = std::ranges::lower_bound(c.blocked, set.user);
    set.blocked ? void(c.blocked.insert(at, set.user)) : void(c.blocked.erase(at));
    return model::BlockSet{set.user, set.blocked};
  }
};

}  // namespace

bool well_formed(const model::Command& command) {
  if (const auto* create = std::get_if<model::CreateConversation>(&command.body))
    return well_formed(command, *create);
  if (const auto* add = std::get_if<model::AddMembers>(&command.body))
    return !add->users.empty() && add->users.size() <= members_max && !same_twice(add->users);
  if (const auto* set = std::get_if<model::SetBlock>(&command.body)) return set->user != command.user;
  return true;
}

wire::Answer<Verdict> check(const ConversationState& c, const Member* m, const model::Command& command) {
  const bool begins = !m && (std::holds_alternative<model::CreateConversation>(command.body) ||
                             std::holds_alternative<model::SetBlock>(command.body));
  if (!begins && !m->is_member()) return wire::problem(Code::not_member);
  return std::visit(Check{c, m, command}, command.body);
}

decltype(model::Event::body) change(ConversationState& c, model::Command& command) {
  return std::visit(Change{c, command}, command.body);
}

void join(ConversationState& c, UserId user, Role role) {
  Member& m = c.known(user);
  m.role = role;
  m.left.title.clear();
  if (c.history == model::History::all) {
    m.intervals = {{{1}, {0}}};
  } else if (TIDINGS_SEED_BUG(29) && !m.intervals.empty()) {
    m.intervals.back().until = {0};
  } else {
    if (m.intervals.size() == intervals_max) m.intervals.erase(m.intervals.begin());
    m.intervals.push_back({c.seq, {0}});
  }
  m.read = m.shown_read = m.delivered = c.seq;
  m.read_ord = c.ord;
  m.own_after_read.clear();
  m.evicted = false;
  ++c.member_count;
}

}  // namespace tidings::fold
