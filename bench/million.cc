// B2 of performance.md: as many sessions as the machine holds, up to a million, with heartbeats, at a core
// and as many gateway processes as their open files ask for; then 1,000 messages a second among some of them,
// at fixed times (open loop), every one of which must arrive. The reference is what raw epoll servers need
// for a part of as many connections.
#include <algorithm>
#include <filesystem>
#include <string>

#include "bench/cluster.h"
#include "bench/hold.h"
#include "bench/report.h"

namespace tidings::bench {
namespace {

constexpr size_t raw_sessions_max = 2 * sessions_per_process_max;

struct Options {
  size_t sessions = 1'000'000;
  size_t gateways = 0;  // 0: as many as the sessions need
  double seconds = 30;
  bool json = false;
  std::string binary;
};

int main_program(int argc, char** argv) {
  Options options;
  options.binary = (std::filesystem::canonical(argv[0]).parent_path() / "../tidings").string();
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (flag == "--quick") {
      options.sessions = 10'000;
      options.seconds = 8;
    } else if (flag == "--json") {
      options.json = true;
    } else if (flag == "--sessions") {
      options.sessions = std::stoul(value());
    } else if (flag == "--gateways") {
      options.gateways = std::stoul(value());
    } else if (flag == "--seconds") {
      options.seconds = std::stod(value());
    } else if (flag == "--binary") {
      options.binary = value();
    } else {
      give_up("unknown flag " + flag +
              " (there are --quick, --json, --sessions N, --gateways N, --seconds S, --binary PATH)");
    }
  }
  const size_t processes =
      std::max<size_t>(std::max<size_t>(2, options.gateways),
                       (options.sessions + sessions_per_process_max - 1) / sessions_per_process_max);
  const Directory directory;
  auto people = make_people(directory.path(), static_cast<int>(options.sessions));
  HoldPlan plan;
  HoldFigures raw;
  {
    const std::vector<Person> some(
        people.begin(), people.begin() + static_cast<ptrdiff_t>(std::min(people.size(), raw_sessions_max)));
    plan.people = &some;
    plan.loads = 2;
    plan.seconds = options.seconds / 2;
    raw = hold_raw(plan.loads, "", "", plan);
  }
  plan.people = &people;
  plan.loads = processes;
  plan.seconds = options.seconds;
  plan.messages_per_second = 1000;
  const Cluster cluster(options.binary, directory.path(), processes);
  const HoldFigures f = hold(cluster, plan);

  const double server_us = f.heartbeat_us + f.core_heartbeat_us;
  if (!options.json) {
    fmt::print(
        "{} sessions at {} gateways in {:.1f} s: {:.1f} us of the gateways, {:.1f} of the core, {:.1f} of "
        "the load each (raw server {:.1f}, load {:.1f})\n",
        f.sessions, processes, f.connect_seconds, f.connect_us, f.core_connect_us, f.load_connect_us,
        raw.connect_us, raw.load_connect_us);
    fmt::print(
        "{:.0f} bytes each in the gateways, {:.0f} in the core, {:.0f} in the kernel; in all {:.0f}, {:.0f} "
        "and {:.0f} MiB\n",
        f.bytes, f.core_bytes, f.kernel_bytes, f.edge_mib, f.core_mib, f.slab_mib);
    fmt::print("{} messages of {} arrived, p50 {:.2f} ms, p99 {:.2f} ms; {} connected more than once\n",
               f.delivered, f.sent, f.p50_ms, f.p99_ms, f.came_again);
    fmt::print(
        "{}\nmillion: {:.2f} us of the server a second for each of {} sessions, {:.1f} of the raw {:.2f}\n",
        machine(), server_us, f.sessions, server_us / raw.heartbeat_us, raw.heartbeat_us);
    return 0;
  }
  Object out = figure("million", server_us, "server us/s/session", raw.heartbeat_us);
  out.count("sessions", f.sessions).count("gateways", processes).number("connect_s", f.connect_seconds);
  out.number("connect_us", f.connect_us).number("core_connect_us", f.core_connect_us);
  out.number("load_connect_us", f.load_connect_us).number("raw_connect_us", raw.connect_us);
  out.number("bytes", f.bytes).number("core_bytes", f.core_bytes).number("kernel_bytes", f.kernel_bytes);
  out.number("gateways_mib", f.edge_mib).number("core_mib", f.core_mib).number("slab_mib", f.slab_mib);
  out.number("us_per_session_s", f.heartbeat_us).number("core_us_per_session_s", f.core_heartbeat_us);
  out.count("sent", f.sent).count("delivered", f.delivered).count("came_again", f.came_again);
  fmt::print("{}\n", out.number("p50_ms", f.p50_ms).number("p99_ms", f.p99_ms).json());
  return 0;
}

}  // namespace
}  // namespace tidings::bench

int main(int argc, char** argv) {
  return tidings::bench::main_program(argc, argv);
}
