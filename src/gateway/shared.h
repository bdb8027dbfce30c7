// What the sessions and REST calls of one gateway use together.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "gateway/branches.h"
#include "gateway/focuses.h"
#include "gateway/links.h"
#include "gateway/marks.h"
#include "gateway/metrics.h"
#include "gateway/pending.h"
#include "gateway/people.h"
#include "gateway/rates.h"
#include "gateway/wanted.h"

namespace tidings::gateway {

struct Shared {
  explicit Shared(Gateway::Parts p);

  Gateway::Parts parts;
  uint64_t gateway = 0;  // ReplyTo::gateway
  Metrics metrics;
  Rates rates;
  Links links;
  People people;
  Focuses focuses;
  Pending pending;
  Marks marks;
  Branches branches;
  std::unordered_map<uint64_t, std::unique_ptr<Session>> sessions;
  uint64_t last_session = 0;
  base::MonotonicTime last_tick;
  bool draining = false;
  base::Task drained;  // while draining: run once when the last session is gone
  // What is posted may run after the gateway is gone; it holds this weakly and looks sessions up by number.
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);

  base::MonotonicTime now() const { return parts.clock.monotonic(); }
  Session* session(uint64_t number);
  // Its transport has ended.
  void forget(uint64_t number);
  void finish_drain();
  // The loop did not turn for so long that what it reads now may have been sent long ago (protocol.md §4).
  bool stood_still() const;
  // Ends every session. They reconnect.
  void end_all(const std::string& detail);

  // When a command handed over now is too late.
  base::WallTime until() const;
  model::ReplyTo reply_to(uint64_t session, uint64_t request) const;
  model::Command command(const account::Identity& who, Wanted wanted, base::WallTime until,
                         model::ReplyTo reply_to) const;
  // The direct conversation of `user` and `other`, as a command.
  model::Command create_command(const account::Identity& who, model::UserId other,
                                const model::ClientId& client_id, base::WallTime until,
                                model::ReplyTo reply_to) const;
  // Commands of one conversation, together. False: the link is full.
  [[nodiscard]] bool hand_over(std::vector<model::Command> commands);
  // A mark that acks allow. False: the link is full.
  [[nodiscard]] bool hand_over_delivered(const MarkKey& key, model::Seq seq);
  // Whether all of these people exist, nobody being named twice; `done` not inside the call, and not once the
  // gateway is gone.
  void find_people(std::vector<model::UserId> users, base::UniqueFunction<void(wire::Answer<bool>)> done);
};

}  // namespace tidings::gateway
