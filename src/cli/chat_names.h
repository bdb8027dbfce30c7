// Handles of people, asked for by their ids and kept. Shows things in their order, each once the names that
// it needs are known or cannot be known. Lives on the reactor.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/chat_client.h"

namespace tidings::cli {

class ChatNames {
 public:
  // `expired`: the token is no longer good; true if another one is on its way, and renewed() will be called.
  // `shown`: nothing waits any more.
  ChatNames(ChatClient& client, std::string own, std::function<bool()> expired, std::function<void()> shown)
      : client_(client), own_(std::move(own)), expired_(std::move(expired)), shown_(std::move(shown)) {}

  // People of a group are asked for there: somebody with whom one shares no more than a group is told of
  // nowhere else.
  void show(std::vector<model::UserId> people, std::function<void()> show,
            std::optional<model::ConversationId> group = std::nullopt);
  void learn(model::UserId user, const std::string& handle);
  // Those that were asked for in vain may be known now.
  void ask_again();
  void ask_again(const std::vector<model::UserId>& people);
  // What was asked is not answered any more.
  void renewed() { asking_ = false; }
  void stop() { waiting_.clear(); }

  bool waits() const { return !waiting_.empty(); }
  std::string of(model::UserId user) const;
  std::optional<model::UserId> id_of(const std::string& handle) const;

 private:
  struct Waiting {
    std::vector<model::UserId> people;
    std::function<void()> show;
    std::optional<model::ConversationId> group;  // not asked yet
  };
  bool settled(model::UserId user) const;
  void go_on();
  void ask();
  void ask_group(const model::ConversationId& group);

  ChatClient& client_;
  std::string own_;
  std::function<bool()> expired_;
  std::function<void()> shown_;
  std::map<model::UserId, std::string> names_;
  std::set<model::UserId> unknown_;  // asked for in vain
  std::deque<Waiting> waiting_;
  bool asking_ = false;
};

}  // namespace tidings::cli
