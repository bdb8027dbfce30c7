// What happens between the client and the view: commands in their order, the open conversation, what is read,
// and when to leave. Lives on the reactor; all calls on its thread.
//
// chat_session.cc: commands, and opening a conversation. chat_session_looks.cc: the list, earlier messages,
// who has read. chat_session_groups.cc: those commands that change a group. chat_session_events.cc: what the
// client tells. chat_session_leave.cc: log-in, time, and the end.
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
#include "cli/chat_names.h"
#include "cli/chat_profile.h"
#include "cli/chat_shown.h"
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
  using What = ChatCommand::What;
  struct Pending {
    std::string text;
    model::ConversationId conversation;
    base::MonotonicTime since{};
    bool told_late = false;
  };
  // The newest own message of the open conversation, whose ticks people see.
  struct Followed {
    model::Seq seq;
    std::string text;
    client::Ticks told;
    bool told_sent = false;
    std::optional<base::MonotonicTime> tell_at;
  };
  // Not online, or not yet.
  struct Outage {
    base::MonotonicTime since{}, retry_at{};
    client::Connection state{};
    std::optional<wire::Code> why;
    bool told = false;
  };
  // Something new in a conversation that is not open.
  struct Notice {
    std::optional<model::Event> last;
    base::MonotonicTime at{};
    bool due = false;  // else it only keeps the next one waiting
  };

  void on_connection(client::Connection state, std::optional<wire::Code> why,
                     base::nanoseconds retry_in) override;
  void on_event(const model::Event& event) override;
  void on_sent(const client::Sent& sent) override;
  void on_failed(const client::OutboxMessage& message, const wire::Problem& why) override;
  void on_reset(const model::ConversationId& conversation) override;
  void on_renamed(const model::ClientId& from, const model::ClientId& to) override;
  void on_marks(const model::ConversationId& conversation) override;
  void on_listed(const model::ConversationId& conversation) override;

  // --- commands
  void run_commands();
  void run(const ChatCommand& command);
  bool may_run(const ChatCommand& command) const;
  // Later commands wait until done_acting(), which ignores all but the newest.
  uint64_t act_on(const ChatCommand& command);
  void done_acting(uint64_t turn);
  bool online() const { return client_.core().connection() == client::Connection::online; }

  void open(const ChatCommand& command);
  void open_person(const std::string& handle);
  void found(const std::string& handle,
             base::Result<std::optional<client::PersonInfo>, client::RestProblem> answer);
  // Without the server, from the profile; false if it takes the server.
  bool open_known();
  void open_conversation(const model::ConversationId& conversation);
  void show_opened(const model::ConversationId& conversation);
  void send(const std::string& text);

  // --- looking
  void list();
  void show_list();
  void more(const ChatCommand& command);
  void info();

  // --- groups
  void change(const ChatCommand& command);
  void members();
  void create(uint64_t turn, const std::string& title, const std::vector<model::UserId>& people);
  // The ids of these people, one look-up after another; complains if there is not one of them.
  void resolve(uint64_t turn, std::vector<std::string> handles, std::vector<model::UserId> known,
               std::function<void(std::vector<model::UserId>)> then);
  client::Core::WhenDone when_changed(const ChatCommand& command, uint64_t turn, std::string sentence);
  void refuse(uint64_t turn, What what, const wire::Problem& why);
  void refuse(uint64_t turn, What what, const client::RestProblem& why);

  // --- what is new
  void read_to(const model::ConversationId& conversation, model::Seq seq);
  void notice(const model::ConversationId& conversation, const std::optional<model::Event>& event);
  void tell_notices(base::MonotonicTime now);
  // At once for scripts; people hear only of what takes a while.
  void tell_connection(client::Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in);
  void tell_outage(base::MonotonicTime now);
  void tell_status();
  void follow(const client::Sent& sent, const std::string& text);

  // --- log-in, time, the end
  void act();
  void complain(const std::string& sentence);
  void give_back(const std::string& text);
  void give_back_waiting();
  // No more time: runs those commands that can be run without the server, gives the texts of the others back.
  void run_out();
  void tell_left();
  // The token has expired: gets the next one and connects anew with it.
  bool renew();
  void renewed(const base::Result<client::LogIn, client::RestProblem>& answer);
  void log_in_ended(bool elsewhere = false);
  void leave(Status status);
  void try_to_leave();

  Parts parts_;
  ChatClient client_;
  client::Alarm alarm_;
  ChatNames names_;
  ChatShown shown_;
  std::deque<ChatCommand> commands_;
  std::optional<std::string> opening_;  // the handle that is being opened; commands wait
  std::optional<base::MonotonicTime> look_up_again_at_;
  std::optional<base::MonotonicTime> open_known_at_;
  std::optional<ChatCommand> acting_;  // is being carried out; commands wait
  uint64_t turn_ = 0;
  std::optional<model::ConversationId> open_when_listed_;  // a group that was just made
  std::optional<model::ConversationId> leave_asked_;
  std::vector<model::ConversationId> numbered_;  // the list that was shown last
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
  std::optional<model::ConversationId> fetching_;  // the open one, whose newest events are on their way
  std::map<model::ClientId, Pending> pending_;
  std::set<model::ClientId> typed_;                         // sent here, their events not shown yet
  std::map<model::ConversationId, model::Seq> shown_to_;    // by `opened`, for people
  std::map<model::ConversationId, model::Seq> shown_from_;  // the first one shown, for `more`
  std::set<model::ConversationId> known_;                   // that there are these is no news
  std::optional<Followed> followed_;
  std::map<model::ConversationId, Notice> notices_;
  std::optional<Outage> outage_;
  bool was_online_ = false;
  bool ending_ = false;
  bool left_ = false;
  std::optional<base::MonotonicTime> leave_at_;
};

}  // namespace tidings::cli
