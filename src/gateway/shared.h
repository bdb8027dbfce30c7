// What the sessions and REST calls of one gateway use together.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "gateway/admission.h"
#include "gateway/branches.h"
#include "gateway/connection.h"
#include "gateway/focuses.h"
#include "gateway/links.h"
#include "gateway/marks.h"
#include "gateway/metrics.h"
#include "gateway/parked.h"
#include "gateway/pending.h"
#include "gateway/people.h"
#include "gateway/rates.h"
#include "gateway/replaced.h"
#include "gateway/session_name.h"
#include "gateway/wanted.h"

namespace tidings::gateway {

struct Shared {
  explicit Shared(Gateway::Parts p);

  Gateway::Parts parts;
  uint64_t gateway = 0;  // ReplyTo::gateway
  Metrics metrics;
  Sums sums;
  Rates rates;
  Links links;
  People people;
  Focuses focuses;
  Pending pending;
  Marks marks;
  Branches branches;
  Admission admission;
  Parked parked;
  Replaced replaced;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections;
  std::unordered_map<uint64_t, std::unique_ptr<Session>> sessions;  // welcomed ones; most have a connection
  uint64_t last_number = 0;                                         // of either
  base::MonotonicTime last_tick;
  bool draining = false;
  base::Task drained;  // while draining: run once when the last connection is gone
  // What is posted may run after the gateway is gone; it holds this weakly and looks sessions up by number.
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);

  base::MonotonicTime now() const { return parts.clock.monotonic(); }
  Session* session(uint64_t number);
  Connection* connection(uint64_t number);
  // It owes its hello, or is given it.
  Connection& add_connection(std::unique_ptr<ports::Transport> transport);
  void begin_session(Connection& connection, const Greeting& greeting);
  // Whoever they are, they may still be running the call.
  void forget_connection_later(uint64_t number);
  void forget_session_later(uint64_t number);
  // Sessions whose time without a connection is over, and those above the bound.
  void forget_parked();
  void forget_parked_above_limit();
  void finish_drain();
  // The loop did not turn for so long that what it reads now may have been sent long ago (protocol.md §4).
  bool stood_still() const;
  // Ends every session.
  void end_all(wire::Code code);
  // Closes every connection. They come back; sessions stay.
  void drop_connections();

  // --- hellos, in order
  Admission::Verdict admit(uint64_t connection);
  void hello_done();
  // When who is turned away may come again: spread over the time that those who wait need.
  uint64_t hello_retry_ms();

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
