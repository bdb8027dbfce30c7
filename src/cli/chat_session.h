// What happens between the client and the view: commands in their order, names of people, the open
// conversation, and when to leave. Lives on the reactor; all calls on its thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/chat_client.h"
#include "cli/chat_profile.h"
#include "cli/chat_view.h"
#include "cli/status.h"
#include "client/cpp/alarm.h"

namespace tidings::cli {

class ChatSession final : client::Listener {
 public:
  struct Parts {
    net::Reactor& reactor;
    ChatView& view;
    client::OutboxStore& outbox;
    ChatProfile profile;
    bool script = false;                // shows all of history and opens nothing by itself
    bool patient = false;               // takes its time to send what it was given before it leaves
    std::function<void(Status)> leave;  // called once, when there is nothing more to do
  };
  explicit ChatSession(Parts parts);
  ~ChatSession() override;

  base::Status start();
  // Commands wait for the one before them.
  void command(ChatCommand command);
  // There will be no more: leaves when all is sent, or after a while.
  void input_ended();
  // Ctrl-C: what was typed goes into the outbox or is given back; the caller ends the session then.
  Status interrupted();

 private:
  struct Pending {
    std::string text;
    base::MonotonicTime since{};
    bool told_late = false;
  };
  struct Named {
    std::vector<model::UserId> people;
    std::function<void()> show;
  };

  void on_connection(client::Connection state, std::optional<wire::Code> why,
                     base::nanoseconds retry_in) override;
  void on_event(const model::Event& event) override;
  void on_sent(const client::Sent& sent) override;
  void on_failed(const client::OutboxMessage& message, const wire::Problem& why) override;
  void on_reset(const model::ConversationId& conversation) override;
  void on_renamed(const model::ClientId& from, const model::ClientId& to) override;

  void run_commands();
  void open(const std::string& handle);
  void found(const std::string& handle,
             base::Result<std::optional<client::PersonInfo>, client::RestProblem> answer);
  // Without the server, from the profile; false if it takes the server.
  bool open_known();
  void open_conversation(const model::ConversationId& conversation);
  void send(const std::string& text);
  void list();
  void act();
  void complain(const std::string& sentence);
  void give_back(const std::string& text);
  // No more time: runs those commands that can be run without the server, gives the texts of the others back.
  void run_out();
  void tell_left();
  // The token has expired: gets the next one and connects anew with it.
  void renew();
  void renewed(const base::Result<client::LogIn, client::RestProblem>& answer);
  void log_in_ended();
  void leave(Status status);
  void try_to_leave();

  // Shows in order, each once the handles of these people are known or cannot be known.
  void show_named(std::vector<model::UserId> people, std::function<void()> show);
  void show_waiting();
  void ask_names();
  std::string name(model::UserId user) const;

  std::optional<model::UserId> other_of(const model::ConversationId& conversation) const;
  std::vector<model::UserId> people_of(const model::ConversationId& conversation) const;
  std::optional<ShownMessage> shown(const model::Event& event) const;
  ShownConversation shown(const model::ConversationId& conversation) const;

  Parts parts_;
  ChatClient client_;
  client::Alarm alarm_;
  std::deque<ChatCommand> commands_;
  std::optional<std::string> opening_;  // the handle that is being opened; commands wait
  std::optional<base::MonotonicTime> look_up_again_at_;
  std::optional<base::MonotonicTime> open_known_at_;
  bool renewing_ = false;
  std::optional<base::MonotonicTime> renew_again_at_;
  std::map<model::ConversationId, model::Seq> told_to_;      // the newest event that was told
  std::map<model::ConversationId, model::Seq> told_before_;  // as it was when the client was made anew
  bool told_waiting_ = false;
  bool running_out_ = false;
  bool gave_back_ = false;     // a text that was typed is neither sent nor kept
  bool opened_known_ = false;  // the open one was opened before it was fetched
  bool failed_ = false;        // something that was asked for was not done
  std::optional<model::ConversationId> open_;
  std::map<model::ClientId, Pending> pending_;
  std::set<model::ClientId> typed_;                        // sent here, their events not shown yet
  std::map<model::ConversationId, model::UserId> others_;  // of those that were opened here
  std::map<model::UserId, std::string> names_;
  std::set<model::UserId> unknown_;                       // asked for in vain
  std::map<model::ConversationId, model::Seq> shown_to_;  // by `opened`, for people
  std::deque<Named> waiting_;
  bool asking_ = false;
  bool was_online_ = false;
  bool ending_ = false;
  bool left_ = false;
  std::optional<base::MonotonicTime> leave_at_;
};

}  // namespace tidings::cli
