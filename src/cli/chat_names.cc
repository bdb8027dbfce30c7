#include "cli/chat_names.h"

#include <algorithm>
#include <utility>

#include "cli/chat_text.h"

namespace tidings::cli {

namespace {

constexpr size_t asked_max = 50;

}  // namespace

void ChatNames::show(std::vector<model::UserId> people, std::function<void()> show,
                     std::optional<model::ConversationId> group) {
  waiting_.push_back({std::move(people), std::move(show), group});
  go_on();
}

void ChatNames::learn(model::UserId user, const std::string& handle) {
  names_[user] = printable(handle);
}

void ChatNames::ask_again() {
  unknown_.clear();
  go_on();
}

void ChatNames::ask_again(const std::vector<model::UserId>& people) {
  for (const model::UserId user : people) unknown_.erase(user);
}

bool ChatNames::settled(model::UserId user) const {
  return names_.contains(user) || unknown_.contains(user) || user == client_.core().user();
}

void ChatNames::go_on() {
  while (!waiting_.empty()) {
    const auto& people = waiting_.front().people;
    if (!std::all_of(people.begin(), people.end(), [this](model::UserId user) { return settled(user); }))
      return ask();
    const auto show = std::move(waiting_.front().show);
    waiting_.pop_front();
    show();
  }
  shown_();
}

void ChatNames::ask() {
  if (asking_) return;
  if (const auto group = std::exchange(waiting_.front().group, std::nullopt)) return ask_group(*group);
  std::vector<model::UserId> people;
  for (const Waiting& one : waiting_) {
    for (const model::UserId user : one.people) {
      if (settled(user) || std::find(people.begin(), people.end(), user) != people.end()) continue;
      if (people.size() < asked_max) people.push_back(user);
    }
  }
  if (people.empty()) return;
  asking_ = true;
  client_.rest().find_by_ids(people, [this, people](auto answer) {
    asking_ = false;
    if (!answer.ok() && answer.error().code == wire::Code::token_expired && expired_()) return;
    if (answer.ok()) {
      for (const client::PersonInfo& person : *answer) learn(person.user, person.handle);
    }
    for (const model::UserId user : people) {
      if (!names_.contains(user)) unknown_.insert(user);
    }
    go_on();
  });
}

void ChatNames::ask_group(const model::ConversationId& group) {
  asking_ = true;
  client_.rest().members(group, [this](auto answer) {
    asking_ = false;
    if (!answer.ok() && answer.error().code == wire::Code::token_expired && expired_()) return;
    if (answer.ok()) {
      for (const client::MemberInfo& one : *answer) learn(one.person.user, one.person.handle);
    }
    go_on();
  });
}

std::string ChatNames::of(model::UserId user) const {
  if (user == client_.core().user()) return own_;
  const auto known = names_.find(user);
  return known == names_.end() ? "somebody" : known->second;
}

std::optional<model::UserId> ChatNames::id_of(const std::string& handle) const {
  for (const auto& [user, name] : names_) {
    if (name == handle) return user;
  }
  return std::nullopt;
}

}  // namespace tidings::cli
