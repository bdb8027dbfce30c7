// A person's device: the very core of client/cpp on a simulated process. Its outbox outlives the process; all
// that it shows and hears goes into the history.
#pragma once

#include <functional>
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

  bool running() const { return core_ != nullptr; }
  bool online() const { return core_ && core_->connection() == client::Connection::online; }
  // What it holds, without a gap.
  std::vector<client::ConversationView> conversations() const;
  size_t outbox_size() const { return outbox_.size(); }
  // Puts what it holds into the history, under its name.
  void give_copies(bool fresh) const;
  const std::string& name() const { return parts_.name; }
  model::UserId user() const { return parts_.user; }

  SimClock clock;

 private:
  int64_t now_ns() const { return parts_.scheduler.now().time_since_epoch().count(); }
  void send(const model::ConversationId& conversation, const std::vector<std::string>& texts);
  void end();
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
  void on_reset(const model::ConversationId& conversation) override;

  Parts parts_;
  SimRandom random_;
  checker::Device number_;
  std::vector<client::OutboxMessage> outbox_;  // sorted by order
  Process* process_ = nullptr;
  SimExecutor* executor_ = nullptr;
  std::unique_ptr<client::Core> core_;
  std::function<void()> crashed_;
  int runs_ = 0;
};

}  // namespace tidings::sim
