// What a seed decides before anything runs: who talks, how narrow the server is, and which faults there are.
// Each seed has a mix of its own, because faults that always come together hide each other.
#pragma once

#include <string>
#include <vector>

#include "base/limits.h"
#include "model/ids.h"
#include "test/sim/prng.h"

namespace tidings::sim {

enum class Fault : uint8_t {
  kill,            // kill -9 of the server
  power_cut,       // its machine loses power
  crash_at_step,   // it dies at a chosen hand-over, disk or store call, as by kill -9 or a power cut
  failing_sync,    // the disk refuses one sync
  cut,             // one connection breaks
  cut_all,         // all do
  half_cut,        // one breaks for the client, who comes back while the server still has the old one
  client_restart,  // a client's process dies, its outbox stays
  server_clock,    // the wall jumps, runs ahead by years, stands still
  client_clock,
  weather,  // slow connections, lost welcomes, cuts in what is told after them, spontaneous ones, for a while
  hold,     // what one client is told comes so late that it repeats itself
  copy_back,  // the data directory as it was some time ago
  // With gateway processes:
  kill_gateway,  // one of them, or it dies at a step, or is stopped
  stall_link,    // what one of them says to the core, or hears, comes late
  break_link,    // a connection between it and the core breaks
  lost_welcome,  // one connection breaks, and what answers the client's next hello is lost
};
inline constexpr size_t fault_count = 17;
std::string_view name(Fault fault);

struct Plan {
  explicit Plan(uint64_t seed);
  void narrow_sessions();
  void add_gateways(Prng chance);
  void narrow_trains(Prng chance);
  // How narrow and how slow it is.
  std::string in_words() const;

  struct Person {
    std::string name;
    model::UserId user;
    size_t devices = 1;
    bool calls_rest = false;
    bool hides = false;  // what was read from others
  };
  Prng random;  // for what is drawn later
  std::vector<Person> people;
  base::Limits limits;
  size_t segment_bytes = 0;
  size_t messages = 0;               // in all
  std::vector<model::UserId> crowd;  // people without devices, who only are in groups
  size_t groups = 0;                 // made at the beginning; more come
  uint64_t in_groups_per_mille = 0;  // of what is said
  size_t changes = 0;                // of groups, and blocks
  bool dance = false;                // one person is removed and added all the time
  uint64_t reads_per_mille = 0;      // of what devices show
  base::nanoseconds active{};        // how long people talk and faults come
  base::nanoseconds fault_pause{};   // between two faults, on average
  base::nanoseconds disk_call_max{}, disk_sync_max{}, store_call_max{};
  base::nanoseconds latency_max{};
  uint64_t burst_per_mille = 0;  // sends that come as a burst
  std::vector<Fault> faults;     // what this seed draws from; copy_back is not among them
  size_t late_writes = 0;        // that reach the server long after their connection broke
  bool copies_back = false;      // once, in the middle
  size_t gateways = 0;           // processes; 0: the core's process is the gateway, too
  size_t gateway_shards = 1;     // in each
  bool loses_core = false;       // in the end, while each gateway has 32 requests under way
  bool calm = false;             // when the faults end, everybody must come to know all without any restart
};

}  // namespace tidings::sim
