// A person's device: the very core of client/cpp on a simulated process. Its outbox outlives the process; all
// that it shows and hears goes into the history.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/cpp/core.h"
#include "test/checker/history.h"
#include "test/sim/machine.h"
#include "test/sim/network.h"
#include "test/sim/scheduler.h"

namespace tidings::sim {

class Device : client::OutboxStore, client::Listener {
 public:
  struct Parts {
    Scheduler& scheduler;
    Network& network;
    checker::History& history;
    std::string name;
    model::UserId user;
    std::string token;
    base::WallTime start_of_time;
    std::function<void(const std::string&)> note;  // what may help to explain
    uint64_t reads_per_mille = 0;                  // of what it shows, so much is read soon
    bool hides = false;                            // and not told to others
  };
  Device(Parts parts, Prng random);
  ~Device() override;

  // A new process that connects; nothing if one runs.
  void start();
  void kill();
  // Its process dies by itself at that step; `restart` says when it comes back.
  void crash_in(uint64_t steps, std::function<void()> crashed);

  // Sends from its own process, to a conversation that is opened first if the device does not know it. Lost
  // if it is off.
  void say(model::UserId to, std::vector<std::string> texts);

  // What follows is done likewise, in one of the groups that it knows, if there is one. Who does not know it
  // from its events may try what the server refuses.
  void say_in_group(std::vector<std::string> texts);
  void create_group(std::string title, std::vector<model::UserId> members, model::History history);
  enum class Change { rename, add, remove, leave, role, history };
  void change_group(Change change, model::UserId user, const std::string& title);
  void block(model::UserId user, bool blocked);
  // Has read something somewhere.
  void read_something();
  // From now on it reads nothing by itself.
  void stop_reading() { parts_.reads_per_mille = 0; }

  bool running() const { return core_ != nullptr; }
  bool online() const { return core_ && core_->connection() == client::Connection::online; }
  bool welcomed() const { return online() || (core_ && core_->connection() == client::Connection::syncing); }
  // What it holds, without a gap.
  std::vector<client::ConversationView> conversations() const;
  // How far its person's own log is held.
  model::Seq own_log() const;
  size_t outbox_size() const { return outbox_.size(); }
  // What it has said and has no answer for; and that these are to be answered by then.
  std::vector<model::ClientId> unanswered() const;
  void owe(const std::vector<model::ClientId>& sends, int64_t by_ns) const;
  size_t command_count() const { return core_ ? core_->command_count() : 0; }
  // A mark that the server should know of and this device has not heard of; "" if there is none.
  std::string mark_that_misses() const;
  // Puts what it holds into the history, under its name.
  void give_copies(bool fresh) const;
  // While it runs.
  const Process* process() const { return process_; }
  const std::string& name() const { return parts_.name; }
  model::UserId user() const { return parts_.user; }

  SimClock clock;

 private:
  int64_t now_ns() const { return parts_.scheduler.now().time_since_epoch().count(); }
  void send(const model::ConversationId& conversation, const std::vector<std::string>& texts);
  void end();
  void read(const model::ConversationId& conversation, model::Seq seq);
  const client::ConversationView* some_group();
  model::Seq seq_held(const model::ConversationId& conversation, model::Seq seq) const;
  void insert(const client::OutboxMessage& message);

  base::Result<std::vector<client::OutboxMessage>> load() override;
  base::Status put(const client::OutboxMessage& message) override;
  base::Status replace(const model::ClientId& old, const client::OutboxMessage& message) override;
  base::Status remove(const model::ClientId& client_id) override;

  void on_connection(client::Connection state, std::optional<wire::Code> why,
                     base::nanoseconds retry_in) override;
  void on_event(const model::Event& event) override;
  void on_sent(const client::Sent& sent) override;
  void on_renamed(const model::ClientId& before, const model::ClientId& now) override;
  void on_failed(const client::OutboxMessage& message, const wire::Problem& why) override;
  void on_held(const model::Event& event) override;
  void on_reset(const model::ConversationId& conversation) override;
  void on_marks(const model::ConversationId& conversation) override;

  Parts parts_;
  SimRandom random_;
  Prng choices_;
  checker::Device number_;
  std::vector<client::OutboxMessage> outbox_;  // sorted by order
  Process* process_ = nullptr;
  SimExecutor* executor_ = nullptr;
  std::unique_ptr<client::Core> core_;
  std::function<void()> crashed_;
  // Of this process: the highest seq that was read, not hidden, and the highest of somebody else's that is
  // held.
  std::map<model::ConversationId, model::Seq> read_, others_;
  std::map<std::pair<model::ConversationId, model::UserId>, model::Mark> told_;  // into the history
  int runs_ = 0;
};

}  // namespace tidings::sim
