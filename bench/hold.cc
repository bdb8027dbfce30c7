#include "bench/hold.h"

#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <sstream>
#include <thread>

#include "bench/hold_load.h"
#include "bench/raw_sessions.h"
#include "bench/report.h"

namespace tidings::bench {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds settle(3);
constexpr double connect_patience_seconds = 1800, finish_patience_seconds = 60;

double seconds_since(SteadyClock::time_point begun) {
  return std::chrono::duration<double>(SteadyClock::now() - begun).count();
}

// What the kernel holds for sockets, in bytes; of the whole machine.
double socket_slab_bytes() {
  static const std::set<std::string> caches{"TCP",           "sock_inode_cache", "filp",   "eventpoll_epi",
                                            "eventpoll_pwq", "tcp_bind_bucket",  "dentry", "ep_head"};
  std::ifstream file("/proc/slabinfo");
  std::string line;
  double bytes = 0;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    double active = 0, all = 0, size = 0;
    if (words >> name >> active >> all >> size && caches.contains(name)) bytes += active * size;
  }
  return bytes;
}

// Servers whatever they are.
struct Held {
  std::vector<uint16_t> ports;
  std::function<Memory()> edge_memory;  // of the processes with the sockets
  std::function<Memory()> core_memory;  // of the other one; empty: there is none
  std::function<double()> edge_cpu_seconds, core_cpu_seconds;
  bool raw = false;
};

Loads start_loads(const Held& servers, const HoldPlan& plan) {
  const auto& people = *plan.people;
  const size_t each = people.size() / plan.loads;
  const bool talks = plan.messages_per_second > 0;
  Loads all;
  for (size_t i = 0; i < plan.loads; ++i) {
    const auto begin = people.begin() + static_cast<ptrdiff_t>(i * each);
    HoldLoad::Plan own;
    own.people.assign(begin, i + 1 < plan.loads ? begin + static_cast<ptrdiff_t>(each) : people.end());
    // Of the next load, or of this one if there is no other.
    for (size_t k = 0; talks && k < plan.talkers; ++k)
      own.partners.push_back(people[(i + 1) % plan.loads * each + (plan.loads > 1 ? k : k ^ 1)].user);
    own.port = servers.ports[i % servers.ports.size()];
    own.tls = plan.tls;
    own.raw = servers.raw;
    own.messages_per_second = plan.messages_per_second / static_cast<double>(plan.loads);
    own.seconds = plan.seconds;
    own.number = i;
    all.push_back(std::make_unique<LoadProcess>([&own](Board& board) -> LoadProcess::Work {
      auto* const load = new HoldLoad(std::move(own), board);
      return {[load](uint32_t order) { load->obey(order); }, [load] { load->rest(); }};
    }));
  }
  return all;
}

void order_within(const Loads& loads, uint32_t order, double patience_seconds, const char* otherwise) {
  const auto begun = SteadyClock::now();
  order_all(loads, order, [&] {
    if (seconds_since(begun) > patience_seconds)
      give_up(std::string(otherwise) + ": " + std::to_string(sum(loads, HoldLoad::open)) +
              " are connected, " + std::to_string(sum(loads, HoldLoad::delivered)) + " of " +
              std::to_string(sum(loads, HoldLoad::sent)) + " messages delivered");
  });
}

HoldFigures hold(const Held& servers, const HoldPlan& plan) {
  const Loads loads = start_loads(servers, plan);
  const auto core_memory = [&] { return servers.core_memory ? servers.core_memory() : Memory(); };
  const auto core_cpu = [&] { return servers.core_cpu_seconds ? servers.core_cpu_seconds() : 0.0; };
  constexpr double mebibyte = 1024 * 1024;

  order_within(loads, HoldLoad::warm, connect_patience_seconds, "the first could not connect");
  std::this_thread::sleep_for(settle);
  HoldFigures f;
  f.sessions = plan.people->size();
  const auto added =
      static_cast<double>(f.sessions - std::min(f.sessions, plan.loads * HoldLoad::warm_sessions));
  const Memory edge = servers.edge_memory(), core = core_memory();
  const double slab = socket_slab_bytes();
  double edge_seconds = servers.edge_cpu_seconds(), core_seconds = core_cpu();
  const double load_seconds = cpu_seconds(loads);
  const auto begun = SteadyClock::now();
  order_within(loads, HoldLoad::connect, connect_patience_seconds, "not everybody could connect");
  f.connect_seconds = seconds_since(begun);
  f.connect_us = (servers.edge_cpu_seconds() - edge_seconds) * 1e6 / added;
  f.core_connect_us = (core_cpu() - core_seconds) * 1e6 / added;
  f.load_connect_us = (cpu_seconds(loads) - load_seconds) * 1e6 / added;
  std::this_thread::sleep_for(settle);
  const Memory edge_after = servers.edge_memory(), core_after = core_memory();
  f.bytes = (edge_after.own - edge.own) / added;
  f.resident_bytes = (edge_after.resident - edge.resident) / added;
  f.core_bytes = (core_after.own - core.own) / added;
  f.edge_mib = edge_after.proportional / mebibyte;
  f.core_mib = core_after.proportional / mebibyte;
  const double slab_after = socket_slab_bytes();
  f.kernel_bytes = (slab_after - slab) / added;
  f.slab_mib = slab_after / mebibyte;

  edge_seconds = servers.edge_cpu_seconds();
  core_seconds = core_cpu();
  const auto beaten = SteadyClock::now();
  order_within(loads, HoldLoad::beat, connect_patience_seconds, "heartbeats do not end");
  const double session_seconds = seconds_since(beaten) * static_cast<double>(f.sessions);
  f.heartbeat_us = (servers.edge_cpu_seconds() - edge_seconds) * 1e6 / session_seconds;
  f.core_heartbeat_us = (core_cpu() - core_seconds) * 1e6 / session_seconds;
  if (plan.messages_per_second > 0) {
    order_within(loads, HoldLoad::greet, finish_patience_seconds, "first messages do not arrive");
    order_within(loads, HoldLoad::talk, connect_patience_seconds, "the talk does not end");
  }
  order_within(loads, HoldLoad::finish, finish_patience_seconds, "something is missing at the end");
  f.came_again = sum(loads, HoldLoad::came_again);
  f.sent = sum(loads, HoldLoad::sent);
  f.delivered = sum(loads, HoldLoad::delivered);
  auto times = times_ms(loads);
  f.p50_ms = percentile(times, 50);
  f.p99_ms = percentile(times, 99);
  return f;
}

}  // namespace

HoldFigures hold(const Cluster& cluster, const HoldPlan& plan) {
  return hold(
      {cluster.ports(), [&] { return cluster.gateways_memory(); }, [&] { return cluster.core_memory(); },
       [&] { return cluster.gateways_cpu_seconds(); }, [&] { return cluster.core_cpu_seconds(); }, false},
      plan);
}

HoldFigures hold_raw(size_t servers, const std::string& certificate, const std::string& key,
                     const HoldPlan& plan) {
  const RawServer::Answers answers{raw_frame(R"({"type":"welcome"})"),
                                   raw_frame(R"({"type":"pong","ephemeral":true})")};
  std::vector<std::unique_ptr<RawServer>> all;
  Held held;
  held.raw = true;
  for (size_t i = 0; i < servers; ++i) {
    all.push_back(std::make_unique<RawServer>(answers, certificate, key));
    held.ports.push_back(all.back()->port());
  }
  held.edge_memory = [&] {
    Memory memory;
    for (const auto& server : all) memory += server->memory();
    return memory;
  };
  held.edge_cpu_seconds = [&] {
    double seconds = 0;
    for (const auto& server : all) seconds += server->cpu_seconds();
    return seconds;
  };
  return hold(held, plan);
}

}  // namespace tidings::bench
