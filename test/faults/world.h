// A real server on a scratch directory, real clients that talk all the time, and the judge of all that they
// saw. For runs of many faults, one after another, on one world.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "test/faults/crowd.h"
#include "test/faults/runs.h"
#include "test/faults/scratch.h"
#include "test/faults/server_process.h"

namespace tidings::faults {

class World {
 public:
  struct Setting {
    size_t people = 6;                                // even: they talk in pairs
    base::nanoseconds tick = base::milliseconds(10);  // one message of each person
    size_t text_bytes = 400;                          // so that a segment is soon full
    std::vector<std::string> settings;                // of the server, KEY=VALUE
    std::vector<std::string> environment;             // likewise, NAME=VALUE
    std::string data;                                 // another place for the data than the scratch directory
  };
  World(const Options& options, Setting setting);
  ~World();

  // Starts the server, brings everybody online, and lets them talk.
  base::Status begin();
  // Starts the server without a fault and waits until somebody is ticked again.
  base::Status start_again(base::nanoseconds at_most = base::seconds(30));
  // Until a tick comes later than `since_ns`.
  bool wait_for_tick(int64_t since_ns, base::nanoseconds at_most);
  void talk(bool on);
  // No fault any more: silence, everything is ticked, new devices read everything, and the judge speaks. The
  // server runs, and is stopped cleanly.
  checker::Verdict end();

  // Client ids that were ticked until now, those of earlier calls included.
  const std::set<model::ClientId>& ticked();
  int64_t last_tick_ns();

  ServerProcess& server() { return *server_; }
  Crowd& crowd() { return *crowd_; }
  Scratch& scratch() { return scratch_; }
  const std::vector<CrowdDevice*>& devices() const { return devices_; }

 private:
  void go_on();

  const Setting setting_;
  Scratch scratch_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Crowd> crowd_;
  std::vector<CrowdDevice*> devices_;
  std::set<model::ClientId> ticked_;
  size_t records_seen_ = 0;
  // On the crowd's reactor.
  bool talking_ = false, timer_ = false;
  int64_t next_ns_ = 0;
  uint64_t number_ = 0;
};

}  // namespace tidings::faults
