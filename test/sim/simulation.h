// One seed from beginning to end: people talk through one server while faults happen; then everything is
// healed, fresh devices pull everything, the log is folded anew from every kept checkpoint, and the checker
// judges.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "test/checker/checker.h"
#include "test/sim/caller.h"
#include "test/sim/device.h"
#include "test/sim/network.h"
#include "test/sim/plan.h"
#include "test/sim/scheduler.h"
#include "test/sim/server.h"

namespace tidings::sim {

struct Outcome {
  checker::Verdict verdict;
  uint64_t hash = 0;  // of the whole history
  uint64_t tasks = 0;
  std::vector<std::string> happened;  // what went on when, in plain words
  std::string summary;                // how much happened
  Server::Sessions sessions;
  uint64_t owed = 0;  // sends that were under way when the core died
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed);
  ~Simulation();

  Outcome run();
  // Every frame goes into Outcome::happened, too.
  void trace_frames();

 private:
  void add_people();
  std::string add_log_in(model::UserId user, model::DeviceId device);
  Device& add_device(const Plan::Person& person, const std::string& what, size_t number);
  void schedule_talk();
  void schedule_people();
  model::UserId somebody();
  std::string text_of(const std::string& name);

  // --- faults
  void schedule_fault();
  void happen(Fault fault);
  void write_late();
  void bend(SimClock& clock, const std::string& whose);
  void change_weather();
  void restart_device(Device& device);
  void restart_server(nanoseconds pause);
  void happen_to_gateway(Fault fault);
  void restart_gateway(size_t index, nanoseconds pause);
  void copy_aside();
  void copy_back();
  void note(const std::string& what);

  void write_late_at(GatewayProcess& gateway, Device& device);
  GatewayProcess* gateway_of(const Device& device);

  // --- the core dies with much under way
  void lose_core();
  bool spread_devices();
  // Of the gateway that has the fewest.
  int64_t requests_under_way();

  // --- the end
  void calm();
  void heal();
  bool settled() const;
  // What is not, in a sentence.
  std::string unsettled() const;
  void settle(const std::string& when);
  void add_fresh_devices();
  void check_folds();

  int64_t now_ns() const { return scheduler_.now().time_since_epoch().count(); }

  Plan plan_;
  Prng random_;
  Scheduler scheduler_;
  Network network_;
  checker::History history_;
  Server server_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<std::unique_ptr<Device>> fresh_;
  std::vector<std::unique_ptr<Caller>> callers_;
  std::vector<model::UserId> caller_users_;
  std::vector<memory::MemoryStore::Snapshot> checkpoints_;
  std::unique_ptr<Server::Copy> aside_;
  std::vector<std::string> happened_;
  bool healing_ = false;
  uint64_t texts_ = 0;
  uint64_t deaths_ = 0;
};

}  // namespace tidings::sim
