#include "client/cpp/conversation_view.h"

#include <algorithm>

namespace tidings::client {

namespace {

void add_member(ConversationView& view, model::UserId user) {
  if (view.members.size() >= members_known_max) return;
  if (std::find(view.members.begin(), view.members.end(), user) == view.members.end())
    view.members.push_back(user);
}

void remove_member(ConversationView& view, model::UserId user) {
  std::erase(view.members, user);
  view.raised.erase(user);
  view.since.erase(user);
  std::erase_if(view.marks, [user](const model::Mark& mark) { return mark.user == user; });
}

void set_role(ConversationView& view, model::UserId user, model::Role role) {
  if (role == model::Role::member) {
    view.raised.erase(user);
  } else if (view.raised.size() < members_known_max) {
    view.raised[user] = role;
  }
}

// One event at a time; `news` if no sync has told yet what follows from it.
struct Folding {
  ConversationView& view;
  const model::Event& event;
  model::UserId self;
  bool news;

  void gone(model::UserId user) {
    remove_member(view, user);
    if (!news) return;
    if (view.member_count > 0) --view.member_count;
    if (user == self) {
      view.left = true;
      view.role = model::Role::member;
      view.member_count = 0;  // as a sync tells it: who left learns nothing of what goes on
    }
  }
  void ranked(model::UserId user, model::Role role) {
    set_role(view, user, role);
    if (news && user == self) view.role = role;
  }

  void operator()(const model::ConversationCreated& created) {
    view.kind = created.kind;
    view.history = created.history;
    view.members = created.members;
    if (view.members.size() > members_known_max) view.members.resize(members_known_max);
    view.raised.clear();
    view.since.clear();
    if (news || view.left) view.title = created.title;
    if (news) {
      view.member_count = created.members.size();
      view.left = false;
      view.role = model::Role::member;
    }
    if (created.kind == model::ConversationKind::group && !created.members.empty())
      ranked(created.members.front(), model::Role::owner);
  }
  void operator()(const model::ConversationUpdated& updated) {
    if (updated.history) view.history = *updated.history;
    if (updated.title && (news || view.left)) view.title = *updated.title;
  }
  void operator()(const model::MembersAdded& added) {
    // Who comes back does not know who went meanwhile; the page or row with the news lists who is there.
    if (std::find(added.members.begin(), added.members.end(), self) != added.members.end()) {
      view.members.clear();
      view.raised.clear();
      view.since.clear();
      view.marks.clear();
    }
    for (const model::UserId user : added.members) {
      add_member(view, user);
      set_role(view, user, model::Role::member);
      if (view.since.size() < members_known_max) view.since[user] = event.seq;
      if (!news) continue;
      ++view.member_count;
      if (user == self) {
        view.left = false;
        view.role = model::Role::member;
      }
    }
  }
  void operator()(const model::MemberRemoved& removed) { gone(removed.user); }
  void operator()(const model::MemberLeft& leaves) {
    gone(leaves.user);
    if (leaves.successor) ranked(*leaves.successor, model::Role::owner);
  }
  void operator()(const model::RoleChanged& changed) { ranked(changed.user, changed.role); }
  void operator()(const model::MessageCreated&) {}
  void operator()(const model::ConversationListed&) { view.kind = model::ConversationKind::self; }
  void operator()(const model::BlockSet&) { view.kind = model::ConversationKind::self; }
};

}  // namespace

model::Role ConversationView::role_of(model::UserId user) const {
  const auto found = raised.find(user);
  return found == raised.end() ? model::Role::member : found->second;
}

model::Mark ConversationView::mark_of(model::UserId user) const {
  const auto found = std::lower_bound(marks.begin(), marks.end(), user,
                                      [](const model::Mark& mark, model::UserId u) { return mark.user < u; });
  return found != marks.end() && found->user == user ? *found
                                                     : model::Mark{.user = user, .read = {}, .delivered = {}};
}

void fold(ConversationView& view, const model::Event& event, model::UserId self) {
  std::visit(Folding{view, event, self, event.seq > view.told_to}, event.body);
}

void fold(ConversationView& view, const wire::SyncedConversation& row) {
  view.kind = row.kind;
  if (row.head.seq < view.told_to || row.head.seq < view.have.seq) {
    // Older than what is held, but a title that no event tells stands nowhere else.
    if (!row.left && view.title.empty()) view.title = row.title;
    return;
  }
  view.told_to = row.head.seq;
  // Who left is told the title by the events that they may read, and by nothing else.
  if (!row.left) view.title = row.title;
  view.role = row.role;
  view.left = row.left;
  view.member_count = row.members;
}

void keep_members(ConversationView& view, const std::vector<model::Mark>& marks) {
  for (const model::UserId user : std::vector(view.members)) {
    if (std::ranges::find(marks, user, &model::Mark::user) == marks.end()) remove_member(view, user);
  }
}

bool fold_marks(ConversationView& view, const std::vector<model::Mark>& marks,
                const std::vector<model::ReadCount>& counts, uint64_t members) {
  bool moved = false;
  for (const model::Mark& mark : marks) {
    auto at = std::lower_bound(view.marks.begin(), view.marks.end(), mark.user,
                               [](const model::Mark& m, model::UserId user) { return m.user < user; });
    if (at == view.marks.end() || at->user != mark.user) {
      if (view.marks.size() >= members_known_max) continue;
      at = view.marks.insert(at, {.user = mark.user, .read = {}, .delivered = {}});
      add_member(view, mark.user);
      moved = true;
    }
    const model::Mark before = *at;
    at->read = std::max(at->read, mark.read);
    at->delivered = std::max({at->delivered, mark.delivered, at->read});
    moved |= *at != before;
  }
  for (const model::ReadCount& count : counts) {
    auto at = std::lower_bound(view.counts.begin(), view.counts.end(), count.seq,
                               [](const model::ReadCount& c, model::Seq seq) { return c.seq < seq; });
    if (at == view.counts.end() || at->seq != count.seq) {
      at = view.counts.insert(at, {.seq = count.seq});
      moved = true;
    }
    const model::ReadCount before = *at;
    at->read = std::max(at->read, count.read);
    at->delivered = std::max(at->delivered, count.delivered);
    moved |= *at != before;
  }
  if (view.counts.size() > counts_known_max)
    view.counts.erase(view.counts.begin(), view.counts.end() - counts_known_max);
  if (members > 0 && !counts.empty()) view.member_count = members;
  return moved;
}

Ticks ticks(const ConversationView& view, model::Seq seq, model::UserId self) {
  Ticks out;
  // The server counts where many are or were members, though few may be left.
  if (view.member_count > model::listed_marks_max || !view.counts.empty()) {
    if (view.member_count <= 1) return out;
    out.of = view.member_count - 1;
    // Who has a later one has this one, too.
    for (const model::ReadCount& count : view.counts) {
      if (count.seq < seq) continue;
      out.read = std::max(out.read, std::min(count.read, out.of));
      out.delivered = std::max(out.delivered, std::min(std::max(count.delivered, count.read), out.of));
    }
    return out;
  }
  for (const model::UserId user : view.members) {
    if (user == self) continue;
    const auto since = view.since.find(user);
    if (since != view.since.end() && since->second > seq) continue;
    const model::Mark mark = view.mark_of(user);
    ++out.of;
    out.read += mark.read >= seq ? 1 : 0;
    out.delivered += mark.delivered >= seq ? 1 : 0;
  }
  return out;
}

}  // namespace tidings::client
