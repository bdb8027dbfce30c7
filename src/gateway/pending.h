// Requests under way to the core: the gateway's own number of each, and who waits for the answer.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "gateway/gateway.h"
#include "gateway/sync_gather.h"
#include "wire/frames.h"

namespace tidings::gateway {

// A session's request. The session may have ended when the answer comes.
struct SessionAsker {
  uint64_t session = 0;
  wire::Request request = 0;
  std::optional<model::ClientId> send;  // of a message.send
  std::optional<SyncGather> sync;
};
// A REST call.
struct RestAsker {
  std::variant<std::function<void(wire::Answer<SendAnswer>)>, std::function<void(wire::Answer<ports::Page>)>,
               std::function<void(wire::Answer<bool>)>>
      done;
};
using Asker = std::variant<SessionAsker, RestAsker>;

// Answers a REST call of whatever kind with a refusal.
void refuse(RestAsker& asker, wire::Code code);

class Pending {
 public:
  explicit Pending(base::Gauge& under_way) : gauge_(under_way) {}
  ~Pending() { gauge_.add(-static_cast<int64_t>(askers_.size())); }

  uint64_t add(SessionAsker asker);
  // Overdue after `deadline`.
  uint64_t add(RestAsker asker, base::MonotonicTime deadline);

  // nullptr: answered, given up or never asked.
  Asker* find(uint64_t number);
  // The same, and it is answered now.
  std::optional<Asker> take(uint64_t number);

  // Forgets what sessions wait for, after their end.
  void forget_sessions();
  // REST calls whose deadline is not after `now`; all of them with the largest time.
  std::vector<RestAsker> take_overdue(base::MonotonicTime now);

 private:
  uint64_t last_ = 0;
  std::unordered_map<uint64_t, Asker> askers_;
  std::deque<std::pair<base::MonotonicTime, uint64_t>> deadlines_;  // in the order of their calls
  base::Gauge& gauge_;
};

}  // namespace tidings::gateway
