// What `tidings chat` shows, in lines for people or in JSON for scripts. Called on the reactor's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "client/cpp/core.h"
#include "wire/codes.h"

namespace tidings::cli {

struct ShownMessage {
  model::ConversationId conversation;
  std::string with;  // handle of the other person
  std::string from;  // handle
  std::string text;  // as it came: not safe for a terminal
  model::Seq seq;
  model::MessageId id;
  base::WallTime time{};
  bool own = false;
  bool typed_here = false;  // own, sent by this process
  bool history = false;     // from before this program ran
  bool open = false;        // its conversation is the open one
};

struct ShownConversation {
  model::ConversationId conversation;
  std::string with;
  uint64_t events = 0;
  std::optional<ShownMessage> last;
};

class ChatView {
 public:
  virtual ~ChatView() = default;
  virtual void connection(client::Connection state, std::optional<wire::Code> why,
                          base::nanoseconds retry_in) = 0;
  // `recent` are the newest messages of it, oldest first.
  virtual void opened(const ShownConversation& conversation, const std::vector<ShownMessage>& recent) = 0;
  virtual void message(const ShownMessage& message) = 0;
  // A message went into the outbox.
  virtual void pending(const model::ClientId& client_id, const std::string& text) = 0;
  // It has waited for its tick for a while.
  virtual void late(const std::string& text) = 0;
  // `text` is empty for a message of an earlier run.
  virtual void sent(const client::Sent& sent, const std::string& text) = 0;
  // It left the outbox: this is the last place where its text can be seen.
  virtual void failed(const model::ClientId& client_id, const std::string& text,
                      const wire::Problem& why) = 0;
  virtual void renamed(const model::ClientId& from, const model::ClientId& to) = 0;
  virtual void list(const std::vector<ShownConversation>& conversations) = 0;
  virtual void reset(const model::ConversationId& conversation, const std::string& with) = 0;
  virtual void help() = 0;
  // Something that was asked for cannot be done, in a sentence.
  virtual void error(const std::string& sentence) = 0;
  virtual void note(const std::string& sentence) = 0;
  virtual void password(const std::string& password) = 0;
};

// One line that somebody typed, or one JSON object of a script.
struct ChatCommand {
  enum class What { open, send, list, quit, help, bad, nothing };
  What what = What::nothing;
  std::string text;  // the handle, the message, or what is wrong
};
ChatCommand parse_line(const std::string& line);
ChatCommand parse_json_line(const std::string& line);

std::unique_ptr<ChatView> make_lines_view(const std::string& handle, const std::string& server, bool colours);
std::unique_ptr<ChatView> make_json_view(const std::string& handle, const std::string& server);

}  // namespace tidings::cli
