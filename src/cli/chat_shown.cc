#include "cli/chat_shown.h"

#include <algorithm>
#include <cctype>

#include "cli/chat_text.h"

namespace tidings::cli {

namespace {

constexpr size_t people_named_max = 6;

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string quoted(const std::string& title) {
  return "“" + printable(title) + "”";
}

}  // namespace

std::optional<model::UserId> ChatShown::other_of(const model::ConversationId& conversation) const {
  const auto* view = client_.core().conversation(conversation);
  if (view && view->kind == model::ConversationKind::group) return std::nullopt;
  if (view) {
    for (const model::UserId user : view->members) {
      if (user != client_.core().user()) return user;
    }
  }
  const auto opened = others_.find(conversation);
  return opened == others_.end() ? std::nullopt : std::optional(opened->second);
}

std::vector<model::UserId> ChatShown::people_of(const model::ConversationId& conversation) const {
  const auto other = other_of(conversation);
  return other ? std::vector<model::UserId>{*other} : std::vector<model::UserId>();
}

std::vector<model::UserId> ChatShown::people_of(const model::Event& event) const {
  auto people = people_of(event.conversation);
  people.push_back(event.from);
  const auto add = [&people](const std::vector<model::UserId>& users) {
    people.insert(people.end(), users.begin(),
                  users.begin() + static_cast<std::ptrdiff_t>(std::min(users.size(), people_named_max)));
  };
  if (const auto* created = std::get_if<model::ConversationCreated>(&event.body)) add(created->members);
  if (const auto* added = std::get_if<model::MembersAdded>(&event.body)) add(added->members);
  if (const auto* removed = std::get_if<model::MemberRemoved>(&event.body)) add({removed->user});
  if (const auto* changed = std::get_if<model::RoleChanged>(&event.body)) add({changed->user});
  if (const auto* left = std::get_if<model::MemberLeft>(&event.body)) {
    add({left->user});
    if (left->successor) add({*left->successor});
  }
  return people;
}

std::optional<model::ConversationId> ChatShown::group(const model::ConversationId& conversation) const {
  const auto* view = client_.core().conversation(conversation);
  if (!view || view->kind != model::ConversationKind::group) return std::nullopt;
  return conversation;
}

bool ChatShown::knows(const model::ConversationId& conversation) const {
  const auto* view = client_.core().conversation(conversation);
  return view && (view->have.seq.value > 0 || view->told_to.value > 0);
}

std::string ChatShown::title(const model::ConversationId& conversation) const {
  const auto* view = client_.core().conversation(conversation);
  if (!view || view->kind != model::ConversationKind::group) {
    const auto other = other_of(conversation);
    return other ? names_.of(*other) : "somebody";
  }
  return view->title.empty() ? "a group without a title" : view->title;
}

std::optional<ShownMessage> ChatShown::event(const model::Event& event) const {
  const auto* view = client_.core().conversation(event.conversation);
  const auto* created = std::get_if<model::MessageCreated>(&event.body);
  ShownMessage out{.conversation = event.conversation,
                   .with = title(event.conversation),
                   .from = names_.of(event.from),
                   .text = created ? created->message.text : "",
                   .says = created ? "" : sentence(event),
                   .seq = event.seq,
                   .id = event.id,
                   .time = event.time};
  if (!created && out.says.empty()) return std::nullopt;
  out.own = event.from == client_.core().user();
  out.group = view && view->kind == model::ConversationKind::group;
  if (out.own && created) out.ticks = client_.core().ticks(event.conversation, event.seq);
  return out;
}

ShownConversation ChatShown::conversation(const model::ConversationId& conversation) const {
  ShownConversation out{.conversation = conversation, .with = title(conversation), .new_from = {}};
  const auto* view = client_.core().conversation(conversation);
  if (!view) return out;
  out.group = view->kind == model::ConversationKind::group;
  out.left = view->left;
  out.events = view->head.value;
  out.unread = view->unread;
  out.members = view->member_count;
  const auto newest = events(conversation, {view->have.seq.value + 1}, 1);
  if (!newest.empty()) out.last = newest.front();
  return out;
}

std::vector<ShownMessage> ChatShown::events(const model::ConversationId& conversation, model::Seq before,
                                            size_t count) const {
  std::vector<ShownMessage> out;
  const auto events = client_.core().events(conversation);
  for (auto one = events.rbegin(); one != events.rend() && out.size() < count; ++one) {
    if (one->seq >= before) continue;
    if (auto shown = event(*one)) out.push_back(std::move(*shown));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

ShownTicks ChatShown::ticks(const model::ConversationId& conversation, model::Seq seq,
                            const std::string& text) const {
  ShownTicks out{.seq = seq, .text = text, .ticks = client_.core().ticks(conversation, seq)};
  const auto* view = client_.core().conversation(conversation);
  if (!view || view->member_count > model::listed_marks_max) return out;
  for (const model::UserId user : view->members) {
    if (user == client_.core().user()) continue;
    const auto since = view->since.find(user);
    if (since != view->since.end() && since->second > seq) continue;
    const model::Mark mark = view->mark_of(user);
    (mark.read >= seq        ? out.read
     : mark.delivered >= seq ? out.delivered
                             : out.waiting)
        .push_back(names_.of(user));
  }
  for (auto* people : {&out.read, &out.delivered, &out.waiting}) std::sort(people->begin(), people->end());
  return out;
}

std::optional<ShownTicks> ChatShown::newest_own(const model::ConversationId& conversation) const {
  const auto events = client_.core().events(conversation);
  for (auto one = events.rbegin(); one != events.rend(); ++one) {
    const auto* created = std::get_if<model::MessageCreated>(&one->body);
    if (created && one->from == client_.core().user())
      return ticks(conversation, one->seq, created->message.text);
  }
  return std::nullopt;
}

std::vector<model::ConversationId> ChatShown::by_newest() const {
  auto views = client_.core().conversations();
  // Ids begin with the time.
  const auto newest = [this](const client::ConversationView& view) {
    if (view.have.id.value > 0) return view.have.id.value;
    const auto events = client_.core().events(view.conversation);
    return events.empty() ? uint64_t{0} : events.back().id.value;
  };
  std::vector<std::pair<uint64_t, model::ConversationId>> order;
  for (const auto& view : views) order.emplace_back(newest(view), view.conversation);
  std::sort(order.begin(), order.end(), std::greater<>());
  std::vector<model::ConversationId> out;
  for (const auto& [id, conversation] : order) out.push_back(conversation);
  return out;
}

std::optional<model::ConversationId> ChatShown::group_called(const std::string& wanted, bool exactly) const {
  std::optional<model::ConversationId> found;
  for (const auto& id : by_newest()) {
    const auto* view = client_.core().conversation(id);
    if (!view || view->kind != model::ConversationKind::group) continue;
    const std::string known = lower(view->title);
    if (known == lower(wanted)) return id;
    if (exactly || !known.starts_with(lower(wanted))) continue;
    if (found) return std::nullopt;
    found = id;
  }
  return found;
}

std::optional<model::ConversationId> ChatShown::newest_unread() const {
  for (const auto& id : by_newest()) {
    const auto* view = client_.core().conversation(id);
    if (view && view->unread > 0) return id;
  }
  return std::nullopt;
}

// --- sentences

std::string ChatShown::subject(model::UserId user) const {
  return user == client_.core().user() ? "you" : names_.of(user);
}

std::string ChatShown::listed(const std::vector<model::UserId>& users) const {
  const size_t named = users.size() > people_named_max ? people_named_max - 1 : users.size();
  std::string out;
  for (size_t i = 0; i < named; ++i) {
    const bool last = i + 1 == users.size();
    out += (i == 0 ? "" : last ? " and " : ", ") + subject(users[i]);
  }
  if (named < users.size()) out += " and " + std::to_string(users.size() - named) + " others";
  return out;
}

std::string ChatShown::sentence(const model::Event& event) const {
  const std::string who = subject(event.from);
  if (const auto* created = std::get_if<model::ConversationCreated>(&event.body)) {
    if (created->kind != model::ConversationKind::group) return "";
    const std::vector<model::UserId> others(created->members.begin() + (created->members.empty() ? 0 : 1),
                                            created->members.end());
    return who + " made the group " + quoted(created->title) +
           (others.empty() ? "" : " with " + listed(others));
  }
  if (const auto* updated = std::get_if<model::ConversationUpdated>(&event.body)) {
    if (updated->title) return who + " called the group " + quoted(*updated->title);
    if (!updated->history) return "";
    return *updated->history == model::History::all
               ? who + " lets those who join read everything"
               : who + " lets those who join read only what is said from then on";
  }
  if (const auto* added = std::get_if<model::MembersAdded>(&event.body))
    return who + " added " + listed(added->members);
  if (const auto* removed = std::get_if<model::MemberRemoved>(&event.body))
    return who + " removed " + subject(removed->user);
  if (const auto* left = std::get_if<model::MemberLeft>(&event.body)) {
    const std::string goes = subject(left->user) + " left";
    if (!left->successor) return goes;
    const bool self = *left->successor == client_.core().user();
    return goes + "; " + subject(*left->successor) + (self ? " are" : " is") + " the owner now";
  }
  if (const auto* changed = std::get_if<model::RoleChanged>(&event.body)) {
    const std::string made = who + " made " + subject(changed->user);
    return made + (changed->role == model::Role::owner   ? " an owner"
                   : changed->role == model::Role::admin ? " an admin"
                                                         : " a member like the others");
  }
  return "";
}

}  // namespace tidings::cli
