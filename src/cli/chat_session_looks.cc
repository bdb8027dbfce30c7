#include <algorithm>

#include "cli/chat_session.h"

namespace tidings::cli {

namespace {

constexpr uint64_t older_events = 15, older_events_max = 200;
constexpr size_t listed_with_text_max = 20;

}  // namespace

void ChatSession::list() {
  const auto order = shown_.by_newest();
  // The newest line of those further down is left out.
  std::vector<std::pair<model::ConversationId, model::Seq>> wanted;
  for (size_t i = 0; i < order.size() && i < listed_with_text_max; ++i) {
    const auto* view = client_.core().conversation(order[i]);
    if (view && view->earlier && client_.core().events(order[i]).empty())
      wanted.emplace_back(order[i], model::Seq{view->have.seq.value + 1});
  }
  if (wanted.empty() || !online()) return show_list();
  const uint64_t turn = act_on({What::list});
  auto left = std::make_shared<size_t>(wanted.size());
  for (const auto& [conversation, before] : wanted) {
    client_.core().history(conversation, before, 3, [this, left, turn](const auto&) {
      if (--*left > 0) return;
      show_list();
      done_acting(turn);
    });
  }
}

void ChatSession::show_list() {
  std::vector<model::UserId> people;
  for (const auto& id : shown_.by_newest()) {
    const auto some = shown_.people_of(id);
    people.insert(people.end(), some.begin(), some.end());
    const auto events = client_.core().events(id);
    if (events.empty()) continue;
    if (shown_.group(id)) {
      names_.show(shown_.people_of(events.back()), [] {}, id);
    } else {
      people.push_back(events.back().from);
    }
  }
  names_.show(std::move(people), [this] {
    std::vector<ShownConversation> rows;
    numbered_ = shown_.by_newest();
    for (const auto& id : numbered_) rows.push_back(shown_.conversation(id));
    parts_.view.list(rows);
  });
}

void ChatSession::more(const ChatCommand& command) {
  if (!open_) return complain("Open a conversation first: /open NAME.");
  const model::ConversationId conversation = *open_;
  const auto* view = client_.core().conversation(conversation);
  if (!view) return complain("There is nothing in it yet.");
  const auto from = shown_from_.find(conversation);
  const model::Seq before = from == shown_from_.end() ? model::Seq{view->have.seq.value + 1} : from->second;
  const uint64_t count =
      std::clamp<uint64_t>(command.count == 0 ? older_events : command.count, 1, older_events_max);
  const auto show = [this, conversation, before, count] {
    std::vector<model::UserId> people;
    for (const model::Event& event : client_.core().events(conversation)) {
      if (event.seq >= before) break;
      const auto more = shown_.people_of(event);
      people.insert(people.end(), more.begin(), more.end());
    }
    std::sort(people.begin(), people.end());
    people.erase(std::unique(people.begin(), people.end()), people.end());
    names_.show(
        std::move(people),
        [this, conversation, before, count] {
          const auto older = shown_.events(conversation, before, count);
          if (!older.empty()) shown_from_[conversation] = older.front().seq;
          ShownConversation shown = shown_.conversation(conversation);
          const auto* now = client_.core().conversation(conversation);
          const model::Seq first = older.empty() ? before : older.front().seq;
          shown.earlier = now && (now->earlier || !shown_.events(conversation, first, 1).empty());
          parts_.view.history(shown, older);
        },
        shown_.group(conversation));
  };
  if (!view->earlier) return show();
  if (!online()) return complain("Earlier messages are on the server, which cannot be reached now.");
  const uint64_t turn = act_on(command);
  client_.core().history(conversation, before, count, [this, show, turn](const auto& older) {
    if (older.ok()) {
      show();
    } else {
      complain(std::string(wire::row(older.error().code).sentence));
    }
    done_acting(turn);
  });
}

void ChatSession::info() {
  if (!open_) return complain("Open a conversation first: /open NAME.");
  const auto* view = client_.core().conversation(*open_);
  if (!shown_.newest_own(*open_))
    return complain("There is no message of yours among those shown here; /more shows earlier ones.");
  std::vector<model::UserId> people;
  if (view && view->member_count <= model::listed_marks_max) people = view->members;
  names_.show(
      std::move(people),
      [this, conversation = *open_] {
        if (const auto ticks = shown_.newest_own(conversation))
          parts_.view.info(shown_.conversation(conversation), *ticks);
      },
      shown_.group(*open_));
}

}  // namespace tidings::cli
