#include "client/cpp/commands.h"

#include <algorithm>
#include <set>

#include "client/cpp/backoff.h"

namespace tidings::client {

using base::MonotonicTime;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr base::nanoseconds answer_timeout = seconds(10);
constexpr size_t answer_timeout_doublings_max = 3;
constexpr base::nanoseconds retry_first = milliseconds(200);
constexpr base::nanoseconds retry_cap = seconds(10);
constexpr size_t in_flight_max = 4;
constexpr size_t requests_max = 16;

model::ConversationId turn_of(const Commands::Frame& frame) {
  return std::visit(
      [](const auto& f) {
        if constexpr (requires { f.conversation; }) {
          return f.conversation;
        } else {
          model::ConversationId turn;
          // Blocks all concern one's own log.
          if constexpr (std::is_same_v<std::decay_t<decltype(f)>, wire::BlockFrame>) turn.bytes.fill(0xff);
          return turn;
        }
      },
      frame);
}

// Those that may be on their way now.
template <class List>
auto first_of(List& commands) {
  std::vector<decltype(&commands.front())> out;
  std::set<model::ConversationId> taken;
  for (auto& command : commands) {
    if (out.size() == in_flight_max) break;
    if (command.turn != model::ConversationId{} && !taken.insert(command.turn).second) continue;
    out.push_back(&command);
  }
  return out;
}

}  // namespace

bool Commands::add(Frame frame, const Done& done) {
  if (commands_.size() >= commands_max) return false;
  std::visit([this](auto& f) { f.client_id = ids_.mint(); }, frame);
  const auto turn = turn_of(frame);
  commands_.push_back({.frame = std::move(frame), .turn = turn, .done = done});
  return true;
}

void Commands::connected() {
  connected_ = true;
  for (Command& command : commands_) {
    command.requests.clear();
    command.at = MonotonicTime::min();
  }
}

void Commands::resumed() {
  connected_ = true;
  for (Command& command : commands_) {
    // One that was refused waits for its time.
    if (!command.requests.empty()) command.at = MonotonicTime::min();
  }
}

std::vector<Commands::Frame> Commands::due(MonotonicTime now, uint64_t& last_request) {
  std::vector<Frame> frames;
  if (!connected_) return frames;
  for (Command* command : first_of(commands_)) {
    if (command->at > now) continue;
    command->requests.push_back(++last_request);
    if (command->requests.size() > requests_max) command->requests.erase(command->requests.begin());
    const size_t unanswered = command->requests.size() - 1;
    command->at = now + answer_timeout * (1 << std::min(unanswered, answer_timeout_doublings_max));
    std::visit([&](auto& f) { f.request = last_request; }, command->frame);
    frames.push_back(command->frame);
  }
  return frames;
}

std::optional<Commands::Finished> Commands::accept(const wire::Ok& ok) {
  const auto command = find(ok.request);
  if (command == commands_.end()) return std::nullopt;
  Finished finished{std::move(command->done), ok};
  commands_.erase(command);
  return finished;
}

std::optional<Commands::Finished> Commands::refuse(const wire::ErrorFrame& error, MonotonicTime now) {
  const auto command = find(error.request.value_or(0));
  if (command == commands_.end()) return std::nullopt;
  // The newer try will hear the same, or be accepted.
  const bool newest = command->requests.back() == *error.request;
  std::erase(command->requests, *error.request);
  if (!newest) return std::nullopt;
  if (error.code == wire::Code::client_id_ahead && command->refused < 8) {
    // Minted before the server had told its time; nothing was done under it.
    std::visit([this](auto& f) { f.client_id = ids_.mint(); }, command->frame);
    command->requests.clear();
    command->at = now + retry_wait(random_, error, retry_first, retry_cap, command->refused++);
    return std::nullopt;
  }
  if (wire::row(error.code).retry == wire::Retry::as_is) {
    command->at = now + retry_wait(random_, error, retry_first, retry_cap, command->refused++);
    return std::nullopt;
  }
  Finished finished{std::move(command->done), wire::problem(error.code, error.message)};
  commands_.erase(command);
  return finished;
}

std::optional<MonotonicTime> Commands::next() const {
  std::optional<MonotonicTime> next;
  if (!connected_) return next;
  for (const Command* command : first_of(commands_)) {
    if (!next || command->at < *next) next = command->at;
  }
  return next;
}

Commands::Place Commands::find(wire::Request request) {
  return std::find_if(commands_.begin(), commands_.end(), [request](const Command& command) {
    return std::find(command.requests.begin(), command.requests.end(), request) != command.requests.end();
  });
}

}  // namespace tidings::client
