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
constexpr size_t earlier_max = 16;
constexpr base::nanoseconds retry_first = milliseconds(200);
constexpr base::nanoseconds retry_cap = seconds(10);
constexpr size_t in_flight_max = 4;

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

void Commands::disconnected() {
  connected_ = false;
  for (Command& command : commands_) {
    command.request = 0;
    command.earlier.clear();
    command.at = MonotonicTime::min();
  }
}

std::vector<Commands::Frame> Commands::due(MonotonicTime now, uint64_t& last_request) {
  std::vector<Frame> frames;
  if (!connected_) return frames;
  for (Command* command : first_of(commands_)) {
    if (command->at > now) continue;
    auto& earlier = command->earlier;
    if (command->request != 0) earlier.push_back(command->request);
    if (earlier.size() > earlier_max) earlier.erase(earlier.begin());
    command->request = ++last_request;
    command->at = now + answer_timeout * (1 << std::min(earlier.size(), answer_timeout_doublings_max));
    std::visit([&](auto& f) { f.request = command->request; }, command->frame);
    frames.push_back(command->frame);
  }
  return frames;
}

std::optional<Commands::Finished> Commands::accept(const wire::Ok& ok) {
  auto command = find(ok.request);
  if (command == commands_.end()) {
    command = std::find_if(commands_.begin(), commands_.end(), [&ok](const Command& one) {
      return std::ranges::find(one.earlier, ok.request) != one.earlier.end();
    });
  }
  if (command == commands_.end()) return std::nullopt;
  Finished finished{std::move(command->done), ok};
  commands_.erase(command);
  return finished;
}

std::optional<Commands::Finished> Commands::refuse(const wire::ErrorFrame& error, MonotonicTime now) {
  const auto command = find(error.request.value_or(0));
  if (command == commands_.end()) return std::nullopt;
  if (error.code == wire::Code::client_id_ahead && command->refused < 8) {
    // Minted before the server had told its time; nothing was done under it.
    std::visit([this](auto& f) { f.client_id = ids_.mint(); }, command->frame);
    command->request = 0;
    command->earlier.clear();
    command->at = now + retry_wait(random_, error.retry_ms, retry_first, retry_cap, command->refused++);
    return std::nullopt;
  }
  if (wire::row(error.code).retry == wire::Retry::as_is) {
    command->request = 0;
    command->at = now + retry_wait(random_, error.retry_ms, retry_first, retry_cap, command->refused++);
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
  if (request == 0) return commands_.end();
  return std::find_if(commands_.begin(), commands_.end(),
                      [request](const Command& command) { return command.request == request; });
}

}  // namespace tidings::client
