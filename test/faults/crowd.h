// Real clients (client/cpp on real sockets) on one reactor, and what they saw and did as one history.
#pragma once

#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "client/cpp/client.h"
#include "net/reactor.h"
#include "test/checker/checker.h"

namespace tidings::faults {

int64_t now_ns();

// Keeps an outbox as long as this process lives: here servers die, clients do not.
class MemoryOutbox : public client::OutboxStore {
 public:
  base::Result<std::vector<client::OutboxMessage>> load() override;
  base::Status put(const client::OutboxMessage& message) override;
  base::Status replace(const model::ClientId& old, const client::OutboxMessage& message) override;
  base::Status remove(const model::ClientId& client_id) override;
  std::function<void(const client::OutboxMessage&)> on_put;

 private:
  std::multimap<uint64_t, client::OutboxMessage> messages_;  // by order
  std::set<model::ClientId> known_;
};

// A device of a person. On the crowd's reactor.
class CrowdDevice : public client::Listener {
 public:
  CrowdDevice(net::Reactor& reactor, checker::History& history, std::string name, client::Address address,
              client::LogIn log_in);

  client::Core& core() { return client_->core(); }
  model::UserId user() const { return log_in_.user; }
  const std::string& name() const { return name_; }
  bool online() const { return online_; }
  // How often it was online and then was not. On the reactor.
  int downs() const { return downs_; }
  const std::string& token() const { return log_in_.token; }
  int64_t last_tick_ns() const { return last_tick_ns_; }
  // Sends to that person, whose conversation is open already.
  bool say(model::UserId to, std::string text);
  bool say_in(const model::ConversationId& conversation, std::string text);
  // Has read up to there, unless it has read more: core().read().
  void read(const model::ConversationId& conversation, model::Seq seq, bool hidden);
  // All events held, per conversation, as the history's copies, and what it shows beside them.
  void give_copies(bool fresh);
  void give_views(bool fresh);
  // When marks or numbers of unread messages changed last.
  int64_t last_marks_ns() const { return last_marks_ns_; }
  uint64_t head(const model::ConversationId& conversation) const;
  // Nothing is in the outbox and everything known is held.
  bool settled();

 private:
  void on_connection(client::Connection state, std::optional<wire::Code> why,
                     base::nanoseconds retry_in) override;
  void on_event(const model::Event& event) override;
  void on_sent(const client::Sent& sent) override;
  void on_failed(const client::OutboxMessage& message, const wire::Problem& why) override;
  void on_held(const model::Event& event) override;
  void on_reset(const model::ConversationId& conversation) override;
  void on_renamed(const model::ClientId& before, const model::ClientId& now) override;
  void on_marks(const model::ConversationId& conversation) override;

  checker::History& history_;
  const std::string name_;
  const client::LogIn log_in_;
  checker::Device number_;
  MemoryOutbox outbox_;
  std::unique_ptr<client::Client> client_;
  bool online_ = false;
  int downs_ = 0;
  int64_t last_tick_ns_ = 0, last_marks_ns_ = 0;
  std::map<model::ConversationId, std::vector<checker::Observed>> held_;
  std::map<model::ConversationId, model::Seq> read_;  // by this device
  std::map<std::pair<model::ConversationId, model::UserId>, model::Mark> shown_;
};

class Crowd {
 public:
  explicit Crowd(client::Address address);
  ~Crowd();

  // Signs the person up if the handle is free, logs a new device in, and connects it. Blocks.
  base::Result<CrowdDevice*> add(const std::string& handle, const std::string& device);
  // Logs a device in that is nobody's client here. Blocks.
  base::Result<client::LogIn> log_in(const std::string& handle, const std::string& device);
  // Asks for an account and does not wait; the handles of those that were answered.
  void ask_for_account(const std::string& handle);
  std::vector<std::string> accounts() {
    return run([this] { return accounts_; });
  }
  // Opens the conversation of the two at the device. Blocks.
  base::Status open(CrowdDevice& device, model::UserId other);
  // Runs it on the reactor's thread and waits for what it returns.
  template <class F>
  auto run(F call) -> decltype(call()) {
    std::promise<decltype(call())> done;
    auto result = done.get_future();
    reactor_.post([&] {
      if constexpr (std::is_void_v<decltype(call())>) {
        call();
        done.set_value();
      } else {
        done.set_value(call());
      }
    });
    return result.get();
  }
  // Asks on the reactor's thread again and again until it is true; false after `at_most`.
  bool wait_for(const std::function<bool()>& condition, base::nanoseconds at_most);
  // The same, for as long as something goes into the history: what a device takes to fetch a million messages
  // says nothing.
  bool wait_while_busy(const std::function<bool()>& condition, base::nanoseconds idle_at_most);

  net::Reactor& reactor() { return reactor_; }
  checker::History& history() { return history_; }
  const std::vector<std::unique_ptr<CrowdDevice>>& devices() const { return devices_; }

 private:
  const client::Address address_;
  net::Reactor reactor_;
  checker::History history_;
  std::vector<std::unique_ptr<CrowdDevice>> devices_;
  std::vector<std::string> accounts_;
};

}  // namespace tidings::faults
