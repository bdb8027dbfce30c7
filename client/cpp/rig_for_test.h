// What the client's tests stand on: an outbox in memory, a diary of what a Core says, and a person with both.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/core.h"
#include "client/cpp/small_server_for_test.h"

namespace tidings::client {

class SeededRandom final : public ports::Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  void fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

class OutboxMemory final : public OutboxStore {
 public:
  base::Result<std::vector<OutboxMessage>> load() override {
    std::vector<OutboxMessage> out;
    for (const auto& [id, message] : messages) out.push_back(message);
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.order < b.order; });
    return out;
  }
  base::Status put(const OutboxMessage& message) override {
    if (fails) return base::failure("The disk is full.");
    messages[message.client_id] = message;
    return {};
  }
  base::Status replace(const model::ClientId& old, const OutboxMessage& message) override {
    if (fails) return base::failure("The disk is full.");
    messages.erase(old);
    messages[message.client_id] = message;
    return {};
  }
  base::Status remove(const model::ClientId& client_id) override {
    messages.erase(client_id);
    return {};
  }
  std::map<model::ClientId, OutboxMessage> messages;
  bool fails = false;
};

// Writes down what a Core says.
class Diary final : public Listener {
 public:
  void on_connection(Connection state, std::optional<wire::Code> why, base::nanoseconds retry_in) override {
    states.push_back(state);
    last_why = why;
    if (state == Connection::offline) waits.push_back(retry_in);
  }
  void on_event(const model::Event& event) override { events[event.conversation].push_back(event); }
  void on_sent(const Sent& one) override { sent.push_back(one); }
  void on_failed(const OutboxMessage& message, const wire::Problem& why) override {
    failed.emplace_back(message.client_id, why.code);
    failed_texts.push_back(message.message.text);
  }
  void on_reset(const model::ConversationId& conversation) override {
    ++resets;
    events[conversation].clear();
  }
  void on_renamed(const model::ClientId& from, const model::ClientId& to) override {
    renamed.emplace_back(from, to);
  }
  void on_marks(const model::ConversationId& conversation) override { ++marks[conversation]; }
  void on_listed(const model::ConversationId& conversation) override { ++listed[conversation]; }

  std::vector<Connection> states;
  std::vector<base::nanoseconds> waits;
  std::optional<wire::Code> last_why;
  std::map<model::ConversationId, std::vector<model::Event>> events;
  std::vector<Sent> sent;
  std::vector<std::pair<model::ClientId, wire::Code>> failed;
  std::vector<std::string> failed_texts;
  std::vector<std::pair<model::ClientId, model::ClientId>> renamed;
  std::map<model::ConversationId, int> marks, listed;
  int resets = 0;
};

// One person's client.
struct Person {
  Person(SmallServer& server, model::UserId who, uint64_t seed = 1, CatchUp how = CatchUp::everything)
      : random(seed), user(who), catch_up(how) {
    restart(server);
  }
  // As after kill -9: only the outbox is left.
  void restart(SmallServer& server) {
    core.reset();
    diary = Diary();
    core = std::make_unique<Core>(Core::Parts{server.time, server.time, random, outbox, diary, "token",
                                              "test/1", server.door(user), catch_up});
  }
  SeededRandom random;
  OutboxMemory outbox;
  Diary diary;
  model::UserId user;
  CatchUp catch_up;
  std::unique_ptr<Core> core;
};

inline std::vector<std::string> texts(const std::vector<model::Event>& events) {
  std::vector<std::string> out;
  for (const auto& event : events) {
    if (const auto* message = std::get_if<model::MessageCreated>(&event.body))
      out.push_back(message->message.text);
  }
  return out;
}

}  // namespace tidings::client
