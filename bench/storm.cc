// B6 of performance.md: everybody's connection is cut at once, 20 messages are missed, more come meanwhile,
// and everybody returns at once: by resume, or where the gateway itself died (the second storm), by a sync of
// changes and a pull. A core, two gateway processes and two processes of load share all cores: what counts
// is the server's time for a return. Everybody must have every message once and in order, or the bench fails.
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "bench/cluster.h"
#include "bench/raw_sessions.h"
#include "bench/report.h"
#include "bench/storm_load.h"

namespace tidings::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t group_receivers = 1000, gateways = 2, loads = 2, missed_frame_bytes = 330;

struct Options {
  size_t sessions = 30'000;
  size_t at_once = 512;  // of each load
  bool json = false;
  std::string binary;
};

double seconds_since(SteadyClock::time_point begun) {
  return std::chrono::duration<double>(SteadyClock::now() - begun).count();
}

struct Figures {
  uint64_t returned = 0, resumed = 0, synced = 0, came_again = 0, repeated = 0, whole = 0, people = 0;
  double seconds = 0, gateway_us = 0, core_us = 0, load_us = 0, p50_ms = 0, p99_ms = 0;
  double server_us() const { return gateway_us + core_us; }
  double returns_per_second() const { return static_cast<double>(returned) / seconds; }
};

Loads start_loads(const std::vector<Person>& people, size_t groups, const Options& options,
                  const std::vector<uint16_t>& ports) {
  const size_t each = people.size() / groups;
  Loads all;
  for (size_t i = 0, first = 0; i < loads; ++i) {
    const size_t own = groups * (i + 1) / loads - groups * i / loads;
    const auto begin = people.begin() + static_cast<ptrdiff_t>(first * each);
    StormLoad::Plan plan{{begin, begin + static_cast<ptrdiff_t>(own * each)}, own, ports, options.at_once, i};
    first += own;
    all.push_back(std::make_unique<LoadProcess>([&plan](Board& board) -> LoadProcess::Work {
      auto* const load = new StormLoad(std::move(plan), board);
      return {[load](uint32_t order) { load->obey(order); }, [load] { load->rest(); }};
    }));
  }
  return all;
}

// `gateway_dies`: instead of all connections being cut.
Figures measure(const Options& options, bool gateway_dies) {
  const size_t groups = std::max(loads, (options.sessions + group_receivers - 1) / group_receivers);
  const size_t each = options.sessions / groups + 1;
  const Directory directory;
  const auto people = make_people(directory.path(), static_cast<int>(groups * each));
  Cluster cluster(options.binary, directory.path(), gateways);
  const Loads all = start_loads(people, groups, options, cluster.ports());
  order_all(all, StormLoad::connect);
  order_all(all, StormLoad::group);
  order_all(all, StormLoad::say_before);
  if (gateway_dies) {
    for (const auto& load : all) load->order(StormLoad::lose);
    cluster.kill_gateway(gateways - 1);
    wait_for_all(all);
  } else {
    order_all(all, StormLoad::cut);
  }
  // What the server does about it is not the return's.
  std::this_thread::sleep_for(std::chrono::seconds(2));
  order_all(all, StormLoad::say_missed);
  if (gateway_dies) cluster.start_gateway(gateways - 1);
  std::this_thread::sleep_for(std::chrono::seconds(1));

  const double gateway = cluster.gateways_cpu_seconds(), core = cluster.core_cpu_seconds();
  const double load = cpu_seconds(all);
  const auto begun = SteadyClock::now();
  order_all(all, StormLoad::come_back);
  Figures f;
  auto times = times_ms(all);
  f.returned = sum(all, StormLoad::away);
  const auto us = [&](double seconds) { return seconds * 1e6 / static_cast<double>(f.returned); };
  f.seconds = std::min(seconds_since(begun), percentile(times, 100) / 1000);
  f.gateway_us = us(cluster.gateways_cpu_seconds() - gateway);
  f.core_us = us(cluster.core_cpu_seconds() - core);
  f.load_us = us(cpu_seconds(all) - load);
  f.p50_ms = percentile(times, 50);
  f.p99_ms = percentile(times, 99);
  order_all(all, StormLoad::say_last);
  f.people = people.size() - groups;
  f.resumed = sum(all, StormLoad::resumed);
  f.synced = sum(all, StormLoad::synced);
  f.came_again = sum(all, StormLoad::came_again);
  f.repeated = sum(all, StormLoad::repeated);
  f.whole = sum(all, StormLoad::whole);
  return f;
}

void print(const char* what, const Figures& f) {
  fmt::print(
      "{}: {} returned in {:.2f} s ({:.0f}/s; half of them in {:.0f} ms, 99 % in {:.0f} ms), {} resumed, {} "
      "synced, {} came more than once\n  server us each: {:.1f} of the gateways, {:.1f} of the core; of the "
      "load {:.1f}; {} of {} have every message\n",
      what, f.returned, f.seconds, f.returns_per_second(), f.p50_ms, f.p99_ms, f.resumed, f.synced,
      f.came_again, f.gateway_us, f.core_us, f.load_us, f.whole, f.people);
}

void add(Object& out, const std::string& prefix, const Figures& f) {
  out.count(prefix + "returned", f.returned).number(prefix + "seconds", f.seconds);
  out.number(prefix + "returns_per_s", f.returns_per_second());
  out.number(prefix + "p50_ms", f.p50_ms).number(prefix + "p99_ms", f.p99_ms);
  out.number(prefix + "gateway_us", f.gateway_us).number(prefix + "core_us", f.core_us);
  out.number(prefix + "load_us", f.load_us).count(prefix + "resumed", f.resumed);
  out.count(prefix + "synced", f.synced).count(prefix + "came_again", f.came_again);
  out.count(prefix + "skipped", f.people - f.whole);
}

int main_program(int argc, char** argv) {
  Options options;
  options.binary = (std::filesystem::canonical(argv[0]).parent_path() / "../tidings").string();
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (flag == "--quick") {
      options.sessions = 4000;
    } else if (flag == "--json") {
      options.json = true;
    } else if (flag == "--sessions") {
      options.sessions = std::stoul(value());
    } else if (flag == "--at-once") {
      options.at_once = std::stoul(value());
    } else if (flag == "--binary") {
      options.binary = value();
    } else {
      give_up("unknown flag " + flag +
              " (there are --quick, --json, --sessions N, --at-once N, --binary PATH)");
    }
  }
  const double raw_us = raw_session_us(options.sessions / gateways, StormLoad::missed, missed_frame_bytes);
  const Figures cut = measure(options, false);
  const Figures died = measure(options, true);
  if (!options.json) {
    print("all cut", cut);
    print("one gateway killed", died);
    fmt::print(
        "{}\nstorm: {:.0f} us of the server for each of {} returns with {} missed messages; {:.1f} of "
        "the raw {:.0f}\n",
        machine(), cut.server_us(), cut.returned, StormLoad::missed, cut.server_us() / raw_us, raw_us);
    return 0;
  }
  Object out = figure("storm", cut.server_us(), "server us/return", raw_us);
  out.count("sessions", cut.people);
  add(out, "", cut);
  out.number("gateway_died_server_us", died.server_us());
  add(out, "gateway_died_", died);
  fmt::print("{}\n", out.json());
  return 0;
}

}  // namespace
}  // namespace tidings::bench

int main(int argc, char** argv) {
  return tidings::bench::main_program(argc, argv);
}
