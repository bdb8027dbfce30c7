// Makes what the view shows from what the client knows: titles, messages, sentences of what happened. Names
// must be known (ChatNames::show) where they shall be seen.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/chat_client.h"
#include "cli/chat_names.h"
#include "cli/chat_view.h"

namespace tidings::cli {

class ChatShown {
 public:
  ChatShown(ChatClient& client, ChatNames& names) : client_(client), names_(names) {}

  // Of one that was just opened, whose first event is on its way.
  void know_other(const model::ConversationId& conversation, model::UserId other) {
    others_[conversation] = other;
  }
  std::optional<model::UserId> other_of(const model::ConversationId& conversation) const;
  // Whose names its title needs, or an event in it.
  std::vector<model::UserId> people_of(const model::ConversationId& conversation) const;
  std::vector<model::UserId> people_of(const model::Event& event) const;

  // The conversation if it is a group, where names are asked for.
  std::optional<model::ConversationId> group(const model::ConversationId& conversation) const;
  // More is known of it than that it is there.
  bool knows(const model::ConversationId& conversation) const;
  std::string title(const model::ConversationId& conversation) const;
  // Nullopt: there is nothing to show.
  std::optional<ShownMessage> event(const model::Event& event) const;
  ShownConversation conversation(const model::ConversationId& conversation) const;
  // The newest `count` of those held below `before`, oldest first.
  std::vector<ShownMessage> events(const model::ConversationId& conversation, model::Seq before,
                                   size_t count) const;
  ShownTicks ticks(const model::ConversationId& conversation, model::Seq seq, const std::string& text) const;
  // The newest own message that is held.
  std::optional<ShownTicks> newest_own(const model::ConversationId& conversation) const;

  // Those that one can talk in or read, newest first.
  std::vector<model::ConversationId> by_newest() const;
  // The group of this title: exactly, or the only one that begins so; upper and lower case are the same.
  std::optional<model::ConversationId> group_called(const std::string& title, bool exactly) const;
  // One with unread messages, the newest.
  std::optional<model::ConversationId> newest_unread() const;

 private:
  std::string sentence(const model::Event& event) const;
  std::string subject(model::UserId user) const;
  std::string listed(const std::vector<model::UserId>& users) const;

  ChatClient& client_;
  ChatNames& names_;
  std::map<model::ConversationId, model::UserId> others_;
};

}  // namespace tidings::cli
