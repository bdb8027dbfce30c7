#include "gateway/wanted.h"

#include <string_view>
#include <unordered_set>

#include "fold/fold.h"

namespace tidings::gateway {

using wire::Code;

namespace {

// Everybody once, in their order, without `except`.
std::vector<model::UserId> everybody_once(const std::vector<model::UserId>& users, model::UserId except) {
  std::unordered_set<model::UserId> seen{except};
  std::vector<model::UserId> out;
  for (const auto user : users) {
    if (seen.insert(user).second) out.push_back(user);
  }
  return out;
}

wire::Problem too_long() {
  return {Code::too_large, "The title is longer than allowed."};
}
wire::Problem too_many() {
  return {Code::limit, "A group has at most " + std::to_string(fold::members_max) + " members."};
}

}  // namespace

wire::Answer<Wanted> want(const base::Limits& limits, model::UserId who, wire::ConversationCreate&& create) {
  auto others = everybody_once(create.members, who);
  model::CreateConversation body{create.kind, {who}, {}, create.history};
  body.members.insert(body.members.end(), others.begin(), others.end());
  if (create.kind == model::ConversationKind::direct) {
    if (others.size() != 1) return wire::problem(Code::bad_request, "A direct conversation has two people.");
    body.history = model::CreateConversation().history;
    return Wanted{model::direct_conversation(who, others.front()), create.client_id, std::move(body),
                  std::move(others)};
  }
  if (create.kind != model::ConversationKind::group) {
    return wire::problem(Code::unsupported, "This kind of conversation is not made by anybody.");
  }
  if (body.members.size() > fold::members_max) return base::fail(too_many());
  if (create.title.size() > limits.title_bytes_max) return base::fail(too_long());
  body.title = std::move(create.title);
  return Wanted{model::group_conversation(who, create.client_id), create.client_id, std::move(body),
                std::move(others)};
}

wire::Answer<Wanted> want(const base::Limits& limits, model::UserId, wire::ConversationUpdate&& update) {
  if (!update.title && !update.history) {
    return wire::problem(Code::bad_request, "Neither title nor history is there.");
  }
  if (update.title && update.title->size() > limits.title_bytes_max) return base::fail(too_long());
  return Wanted{update.conversation,
                update.client_id,
                model::UpdateConversation{std::move(update.title), update.history},
                {}};
}

wire::Answer<Wanted> want(const base::Limits&, model::UserId, wire::ConversationLeave&& leave) {
  return Wanted{leave.conversation, leave.client_id, model::LeaveConversation{}, {}};
}

wire::Answer<Wanted> want(const base::Limits&, model::UserId, wire::MemberAdd&& add) {
  auto users = everybody_once(add.users, {});
  if (users.empty()) return wire::problem(Code::bad_request, "Nobody is named.");
  if (users.size() > fold::members_max) return base::fail(too_many());
  return Wanted{add.conversation, add.client_id, model::AddMembers{users}, users};
}

wire::Answer<Wanted> want(const base::Limits&, model::UserId, wire::MemberRemove&& remove) {
  return Wanted{remove.conversation, remove.client_id, model::RemoveMember{remove.user}, {}};
}

wire::Answer<Wanted> want(const base::Limits&, model::UserId, wire::MemberRole&& role) {
  return Wanted{role.conversation, role.client_id, model::SetRole{role.user, role.role}, {}};
}

wire::Answer<Wanted> want(const base::Limits&, model::UserId who, wire::BlockFrame&& block) {
  if (block.user == who) return wire::problem(Code::bad_request, "Nobody blocks oneself.");
  return Wanted{model::self_conversation(who),
                block.client_id,
                model::SetBlock{block.user, block.blocked},
                {block.user}};
}

}  // namespace tidings::gateway
