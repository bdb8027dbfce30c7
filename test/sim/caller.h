// A script that speaks REST: sends with idempotency keys of its own making (random UUIDs, and old v7 ids that
// no state remembers), repeats them under the same key until it is answered and long after, and reads pages
// from anywhere.
#pragma once

#include <string>
#include <vector>

#include "test/checker/history.h"
#include "test/sim/machine.h"
#include "test/sim/server.h"

namespace tidings::sim {

class Caller {
 public:
  struct Parts {
    Scheduler& scheduler;
    Server& server;
    checker::History& history;
    std::string name;
    account::Identity who;
  };
  Caller(Parts parts, Prng random);
  ~Caller();

  void say(model::UserId to, std::string text);
  // Sends something old again, under its client id.
  void repeat();
  // Asks for a page of a random conversation of its own.
  void read();
  // Reads all pages of the conversation, `limit` at a time.
  void read_all(const model::ConversationId& conversation, size_t limit);
  // Nothing waits for an answer.
  bool idle() const;
  std::string waiting_for() const;

 private:
  struct Send {
    model::UserId to;
    model::ConversationId conversation;
    model::ClientId client_id;
    std::string text;
    bool created = false;
    bool answered = false;
    bool given_up = false;
    bool asked = false;  // an attempt is on its way
    uint64_t attempt = 0;
    uint64_t unanswered = 0;  // attempts since the last answer
    std::string last_error;
  };
  int64_t now_ns() const { return parts_.scheduler.now().time_since_epoch().count(); }
  void attempt(size_t index);
  void retry_later(size_t index, nanoseconds delay);
  void on_answer(size_t index, uint64_t attempt, wire::Answer<gateway::SendAnswer> answer);
  void ask_page(const model::ConversationId& conversation, model::Seq after, size_t limit, bool go_on);
  model::ClientId new_client_id();

  Parts parts_;
  Prng random_;
  checker::Device number_;
  SimExecutor& executor_;
  std::vector<Send> sends_;
};

}  // namespace tidings::sim
