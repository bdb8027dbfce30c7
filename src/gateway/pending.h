// Requests under way to the core: the gateway's own number of each, and who waits for the answer.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "gateway/gateway.h"
#include "gateway/marks.h"
#include "gateway/sync_gather.h"
#include "wire/frames.h"

namespace tidings::gateway {

// A session's request. The session may have ended when the answer comes.
struct SessionAsker {
  enum class What { command, mark, pull, history, sync, newest };
  uint64_t session = 0;
  What what = What::command;
  std::optional<wire::Request> request = {};  // nullopt: the client asked for no answer
  std::optional<model::ClientId> send = {};   // of a message.send
  model::ConversationId from = {}, to = {};   // of a sync
  std::optional<SyncGather> sync = {};
};
// A REST call.
struct RestAsker {
  template <class T>
  using Done = std::function<void(wire::Answer<T>)>;

  std::variant<Done<SendAnswer>, Done<ports::Page>, Done<bool>, Done<ports::SyncRows>, Done<ports::Members>,
               Done<std::vector<model::UserId>>, Done<std::vector<ports::ReadRow>>>
      done;
  std::optional<SyncGather> sync = {};
};
// A mark that acks allow is a MarkKey.
using Asker = std::variant<SessionAsker, RestAsker, MarkKey>;

// Answers a REST call of whatever kind with a refusal.
void refuse(RestAsker& asker, const wire::Problem& problem);

class Pending {
 public:
  explicit Pending(base::Gauge& under_way) : gauge_(under_way) {}
  ~Pending() { gauge_.add(-static_cast<int64_t>(askers_.size())); }

  uint64_t add(SessionAsker asker);
  uint64_t add(const MarkKey& mark);
  // Overdue after `deadline`.
  uint64_t add(RestAsker asker, base::MonotonicTime deadline);

  // nullptr: answered, given up or never asked.
  Asker* find(uint64_t number);
  // The same, and it is answered now.
  std::optional<Asker> take(uint64_t number);

  // What sessions wait for, in the order in which it was asked; marks are forgotten.
  std::vector<SessionAsker> take_all_but_rest();
  // REST calls whose deadline is not after `now`; all of them with the largest time.
  std::vector<RestAsker> take_overdue(base::MonotonicTime now);

 private:
  uint64_t add(Asker asker);

  uint64_t last_ = 0;
  std::unordered_map<uint64_t, Asker> askers_;
  std::deque<std::pair<base::MonotonicTime, uint64_t>> deadlines_;  // in the order of their calls
  base::Gauge& gauge_;
};

}  // namespace tidings::gateway
