// Connections between simulated clients and the simulated server: random latency and bandwidth, cuts at any
// moment in either direction, refused connects, a welcome that is lost, machines that fall silent.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ports/transport.h"
#include "test/sim/scheduler.h"

namespace tidings::sim {

class Network {
 public:
  struct Weather {
    nanoseconds latency_max = base::milliseconds(5);
    uint64_t lost_welcome_per_mille = 0;  // connections whose first answer and all after it are lost
    uint64_t cut_early_per_mille = 0;     // that break in what comes right behind it: replays, first pages
    uint64_t slow_per_mille = 0;          // connections of 4 to 64 KB/s
    uint64_t cut_per_mille = 0;           // connections that break by themselves within a few seconds
  };
  using Accept = std::function<void(size_t shard, std::unique_ptr<ports::Transport>)>;

  Network(Scheduler& scheduler, Prng random) : scheduler_(scheduler), random_(random) {}

  Weather weather;
  // Sees every frame at the moment at which it is sent.
  std::function<void(const std::string& from, const std::string& to, std::string_view frame)> trace;

  // Who takes connections at that place from now on; `accept` runs on the chosen executor. A client takes any
  // place.
  void listen(std::vector<SimExecutor*> shards, Accept accept, size_t place = 0);
  // Nobody does there; where there is no place, connects are refused.
  void refuse(size_t place = 0);
  // `done` runs on `client`: the transport, or nullptr.
  void open(SimExecutor& client, std::function<void(std::unique_ptr<ports::Transport>)> done);
  // Both ends on executors of the caller's; for tests.
  std::pair<std::unique_ptr<ports::Transport>, std::unique_ptr<ports::Transport>> make_pair(SimExecutor& a,
                                                                                            SimExecutor& b);

  // Breaks a living connection: each direction loses what is sent from its own moment on, each end hears of
  // it at its own time, or only by what it misses.
  void cut_one();
  void cut_all();
  // Breaks one for its client now, and for the server, which hears nothing more on it, after `duration`.
  void cut_half(nanoseconds duration);
  // What the server says to one client, and has said last, takes so much longer, and then comes in order.
  void hold_one(nanoseconds duration);
  // For this client its connection breaks somewhere within `duration`; what it says from now on until then is
  // on its way all that time, and reaches the server in the end.
  void late(const Process& client, nanoseconds duration);
  // This client's connection breaks for it after that time; what it has said arrives, and the server hears of
  // the break later.
  void leave(const Process& client, nanoseconds after);
  // The same for one of the living, and the first that its next connection is told is lost.
  void lose_next_welcome();
  // The process that has the other end of this client's connection; nullptr if it has none.
  const Process* server_of(const Process& client) const;
  // The machine of this process lost its power: no end of its connections says good-bye.
  void silence(const Process& process);

 private:
  class End;
  struct Side;
  struct Connection;
  std::shared_ptr<Connection> connect(SimExecutor& client, SimExecutor& server);
  void cut(const std::shared_ptr<Connection>& connection, nanoseconds within);
  std::shared_ptr<Connection> living_one();

  Scheduler& scheduler_;
  Prng random_;
  struct Place {
    std::vector<SimExecutor*> shards;
    Accept accept;
  };
  std::map<size_t, Place> places_;
  std::vector<std::weak_ptr<Connection>> connections_;
  std::set<const Process*> lose_welcome_of_;  // client processes
};

}  // namespace tidings::sim
