// What `tidings chat` shows, in lines for people or in JSON for scripts. Called on the reactor's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "cli/chat_command.h"
#include "client/cpp/core.h"
#include "wire/codes.h"

namespace tidings::cli {

// A message, or something that happened in a group.
struct ShownMessage {
  model::ConversationId conversation;
  std::string with;  // handle of the other person, or title of the group
  std::string from;  // handle
  std::string text;  // as it came: not safe for a terminal
  std::string says;  // what happened, as a sentence; then there is no text. Safe for a terminal
  model::Seq seq;
  model::MessageId id;
  base::WallTime time{};
  std::optional<client::Ticks> ticks;  // of an own one
  bool own = false;
  bool group = false;
  bool typed_here = false;  // own, sent by this process
  bool history = false;     // from before this program ran
  bool open = false;        // its conversation is the open one
};

struct ShownConversation {
  model::ConversationId conversation;
  std::string with;
  bool group = false;
  bool left = false;
  uint64_t events = 0;
  uint64_t unread = 0;
  uint64_t members = 0;
  model::Seq new_from;   // the first one shown that is unread; 0: none
  bool earlier = false;  // there is more than what is shown
  std::optional<ShownMessage> last = {};
};

struct ShownMember {
  std::string name;
  model::Role role = model::Role::member;
  bool self = false;
};

// How far one own message has come.
struct ShownTicks {
  model::Seq seq;
  std::string text;
  client::Ticks ticks;
  // Who exactly; empty in large groups, where that is only counted.
  std::vector<std::string> read = {}, delivered = {}, waiting = {};
};

struct ShownMark {
  std::string name;
  model::Seq read, delivered;
};

class ChatView {
 public:
  virtual ~ChatView() = default;
  virtual void connection(client::Connection state, std::optional<wire::Code> why,
                          base::nanoseconds retry_in) = 0;
  // `recent` are the newest lines of it, oldest first; `pending` one's own that wait for their tick.
  virtual void opened(const ShownConversation& conversation, const std::vector<ShownMessage>& recent,
                      const std::vector<std::string>& pending) = 0;
  // Something new. For people, only of the open conversation.
  virtual void message(const ShownMessage& message) = 0;
  // For people: there is something new in a conversation that is not open; `last` is the newest of it.
  virtual void elsewhere(const ShownConversation& conversation) = 0;
  // What was asked for by `more`, oldest first.
  virtual void history(const ShownConversation& conversation, const std::vector<ShownMessage>& older) = 0;
  // A message went into the outbox.
  virtual void pending(const model::ClientId& client_id, const std::string& text) = 0;
  // It has waited for its tick for a while.
  virtual void late(const std::string& text) = 0;
  // `text` is empty for a message of an earlier run. `status` tells of it soon, too, if it is `followed`.
  virtual void sent(const client::Sent& sent, const std::string& text, bool followed) = 0;
  // It left the outbox: this is the last place where its text can be seen.
  virtual void failed(const model::ClientId& client_id, const std::string& text,
                      const wire::Problem& why) = 0;
  virtual void renamed(const model::ClientId& from, const model::ClientId& to) = 0;
  // For people: the newest own message of the open conversation has come further.
  virtual void status(const ShownConversation& conversation, const ShownTicks& ticks) = 0;
  virtual void info(const ShownConversation& conversation, const ShownTicks& ticks) = 0;
  // For scripts: who has read how far, and how many messages are unread. `newest`: the newest own message.
  virtual void marks(const ShownConversation& conversation, const std::vector<ShownMark>& marks,
                     const std::optional<ShownTicks>& newest) = 0;
  virtual void members(const ShownConversation& conversation, const std::vector<ShownMember>& members) = 0;
  virtual void list(const std::vector<ShownConversation>& conversations) = 0;
  virtual void reset(const model::ConversationId& conversation, const std::string& with) = 0;
  virtual void help() = 0;
  // A command was carried out; an empty sentence: people see it by what happened.
  virtual void done(ChatCommand::What what, const std::string& sentence, bool duplicate) = 0;
  // Something that was asked for cannot be done, in a sentence.
  virtual void error(const std::string& sentence) = 0;
  virtual void note(const std::string& sentence) = 0;
  virtual void password(const std::string& password) = 0;
};

std::unique_ptr<ChatView> make_lines_view(const std::string& handle, const std::string& server, bool colours);
std::unique_ptr<ChatView> make_json_view(const std::string& handle, const std::string& server);

}  // namespace tidings::cli
