// The simulated machine of the server: its disk, store and accounts outlive the processes that run on it one
// after another. A process is the real EmbeddedLog, account::LocalService and server::Node on simulated
// executors; or, where the plan has gateway processes, CoreNode and CoreDoor, and the gateways are processes
// of their own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "account/local_service.h"
#include "base/metrics.h"
#include "engine/memory/memory_accounts.h"
#include "engine/memory/memory_disk.h"
#include "engine/memory/memory_store.h"
#include "server/node.h"
#include "test/sim/gateway_process.h"
#include "test/sim/links.h"
#include "test/sim/machine.h"
#include "test/sim/network.h"
#include "test/sim/plan.h"
#include "test/sim/scheduler.h"

namespace tidings::sim {

class Server {
 public:
  // The data directory, copied while nothing of it moves.
  struct Copy {
    memory::MemoryDisk::Snapshot disk;
    memory::MemoryStore::Snapshot store;
    memory::MemoryAccounts::Snapshot accounts;
    std::map<std::string, base::Bytes> trimmed;  // files that were removed from the log before
  };

  // What became of sessions, over all processes.
  struct Sessions {
    uint64_t resumes = 0, dirties = 0, link_gaps = 0, slow = 0;
  };

  // `network` may be nullptr: then nobody can connect.
  Server(Scheduler& scheduler, Network* network, const Plan& plan, Prng random);
  ~Server();

  // A new process; it accepts connections once it is ready. Gateways that do not run start, too. Does nothing
  // if one runs.
  void start();
  // The core alone, if there are gateway processes.
  void kill();
  // With all that runs on the machine.
  void power_cut();
  // Ends sessions, writes what is folded and ends by itself; the core alone.
  void stop();
  std::vector<std::unique_ptr<GatewayProcess>>& gateways() { return gateways_; }
  Links& links() { return links_; }
  // The process dies at that step of its own; `power`: with its machine.
  void crash_in(uint64_t steps, bool power);

  // The same in the so-many-th sync from now, when it has taken its time and saved nothing yet.
  void crash_in_sync(uint64_t syncs, bool power);

  // Told, outside of all processes, when a process ended that was not asked to.
  std::function<void(const std::string& why)> on_death;

  std::function<void(size_t gateway)> on_gateway_death;

  bool running() const { return run_ != nullptr; }
  bool ready() const;
  // All that the log handed out is folded.
  bool quiet() const;
  uint64_t fold_hash() const;
  // Its metrics that are not 0.
  std::string figures() const;
  Sessions sessions() const;
  const std::string& last_words() const { return last_words_; }

  // Runs `call` on that shard, of whatever process; false if that is not ready.
  bool on_gateway(size_t shard, std::function<void(gateway::Gateway&)> call);

  Copy copy() const;
  // While nothing runs.
  void restore(const Copy& copy);
  // A copy whose log goes back to its beginning, whatever was trimmed since.
  Copy untrimmed_copy() const;
  memory::MemoryStore::Snapshot store_snapshot() const { return store_.snapshot(); }
  memory::MemoryDisk::Snapshot disk_snapshot() const { return disk_.snapshot(); }

  SimClock clock;
  memory::MemoryAccounts& accounts() { return accounts_; }
  void fail_next_sync() { disk_.fail_next(memory::DiskCall::Kind::sync); }
  uint64_t steps() const;

 private:
  struct Run;
  void begin(Run& run);
  void begin_alone(Run& run, const std::function<void(const std::string&)>& fatal);
  void open_door(Run& run);
  void add_up(base::Registry& metrics, Sessions& sums) const;
  void died(bool power);
  void device_called(nanoseconds at_most, bool is_sync = false);

  Scheduler& scheduler_;
  Network* network_;
  const Plan& plan_;
  SimRandom random_;
  Prng faults_;
  memory::MemoryDisk disk_;
  memory::MemoryStore store_;
  memory::MemoryAccounts accounts_;
  std::map<std::string, base::Bytes> trimmed_;  // files that were removed from the log
  Links links_;
  std::vector<std::unique_ptr<GatewayProcess>> gateways_;
  std::unique_ptr<Run> run_;
  std::string last_words_;
  bool crash_takes_power_ = false;
  uint64_t crash_in_sync_ = 0;
  int runs_ = 0;
  Sessions sessions_;  // of processes that ended
};

}  // namespace tidings::sim
