// Unix sockets between the simulated processes of one machine: quick, in order, and whole until an end
// closes. One of them may be behind while the others are not, and one may break.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "net/message_stream.h"
#include "test/sim/scheduler.h"

namespace tidings::sim {

class Links {
 public:
  Links(Scheduler& scheduler, Prng random) : scheduler_(scheduler), random_(random) {}

  // What a core listens with, on its executor, and what a gateway's process connects with.
  net::Listen listen_on(SimExecutor& executor);
  net::Connect connect_from(const Process& process);

  enum class Way : uint8_t { up, down, both };
  // What goes this way on connections of that process arrives no sooner than after `duration`, what is on its
  // way too. Each of them with this chance.
  void stall(const Process& gateway, Way way, nanoseconds duration, uint64_t per_mille = 1000);
  // One of its connections, or of all if there is none to choose: what is on its way is lost, and each end
  // hears of it at its own time.
  void break_one(const Process& gateway);
  void end_stalls();
  size_t connected(const Process& gateway) const;

 private:
  struct Connection;
  class Stream;
  class Holder;
  struct Listener;
  std::vector<std::shared_ptr<Connection>> of(const Process& gateway) const;

  Scheduler& scheduler_;
  Prng random_;
  std::weak_ptr<Listener> listener_;
  std::vector<std::weak_ptr<Connection>> connections_;
};

}  // namespace tidings::sim
