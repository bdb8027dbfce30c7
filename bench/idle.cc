// B1 of performance.md: authenticated sessions that do nothing but heartbeats. Memory of the server's process
// for each, from a fresh process with one arena of malloc; what the kernel holds for both ends of a
// connection is told apart; and the time that heartbeats cost. The server runs on core 0, the load on core 1.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "bench/real_server.h"
#include "bench/report.h"
#include "bench/sockets.h"
#include "bench/swarm.h"

namespace tidings::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t warm_sessions = 200;  // what the first ones cost is the process's, not theirs
constexpr size_t files_of_the_server = 500;
constexpr double heartbeat_seconds = 30, settle_seconds = 3, patience_seconds = 300;

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

struct Options {
  size_t sessions = 19'000;
  double seconds = 20;
  bool json = false;
  std::string binary;
};

struct Figures {
  double bytes = 0, kernel_bytes = 0, connect_seconds = 0, connect_us = 0, heartbeat_us = 0, resident_mib = 0;
};

class Load {
 public:
  explicit Load(const std::vector<Person>& people, uint16_t port) : port_(port) {
    for (const Person& person : people) swarm_.add(person);
  }
  void connect(size_t upto) {
    for (; connected_ < upto; ++connected_) swarm_.connect(swarm_.at(connected_), port_);
    const auto begun = SteadyClock::now();
    while (swarm_.open_count() < upto) {
      if (seconds_since(begun) > patience_seconds) give_up("not everybody could connect");
      swarm_.turn(10);
    }
  }
  void run(double seconds, bool heartbeats) {
    const auto begun = SteadyClock::now();
    const double rate = static_cast<double>(connected_) / heartbeat_seconds;
    const std::string ping = wire::encode(wire::Ping{});
    for (uint64_t sent = 0; seconds_since(begun) < seconds;) {
      for (; heartbeats && static_cast<double>(sent) < seconds_since(begun) * rate; ++sent)
        swarm_.send(swarm_.at(next_++ % connected_), ping);
      swarm_.turn(5);
    }
  }

 private:
  Swarm swarm_;
  const uint16_t port_;
  size_t connected_ = 0, next_ = 0;
};

Figures measure(const Options& options) {
  const Directory directory;
  const auto people = make_people(directory.path(), static_cast<int>(options.sessions + warm_sessions));
  const ServerProcess server(options.binary, directory.path(),
                             {.one_arena = true, .more = {"--set", "limits.connections=1000000"}});
  Load load(people, server.port());
  load.connect(warm_sessions);
  load.run(settle_seconds, false);
  Figures f;
  const double mib = server.resident_mebibytes(), slab = socket_slab_bytes(), cpu = server.cpu_seconds();
  const auto begun = SteadyClock::now();
  load.connect(people.size());
  const auto count = static_cast<double>(options.sessions);
  f.connect_seconds = seconds_since(begun);
  f.connect_us = (server.cpu_seconds() - cpu) * 1e6 / count;
  load.run(settle_seconds, false);
  f.resident_mib = server.resident_mebibytes();
  f.bytes = (f.resident_mib - mib) * 1024 * 1024 / count;
  f.kernel_bytes = (socket_slab_bytes() - slab) / count;
  const double before = server.cpu_seconds();
  load.run(options.seconds, true);
  f.heartbeat_us =
      (server.cpu_seconds() - before) * 1e6 / options.seconds / static_cast<double>(people.size());
  return f;
}

int main_program(int argc, char** argv) {
  Options options;
  options.binary = (std::filesystem::canonical(argv[0]).parent_path() / "../tidings").string();
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (flag == "--quick") {
      options.sessions = 5000;
      options.seconds = 8;
    } else if (flag == "--json") {
      options.json = true;
    } else if (flag == "--sessions") {
      options.sessions = std::stoul(value());
    } else if (flag == "--binary") {
      options.binary = value();
    } else {
      give_up("unknown flag " + flag + " (there are --quick, --json, --sessions N, --binary PATH)");
    }
  }
  const uint64_t files = raise_file_limit();
  options.sessions = std::min<size_t>(options.sessions, files - files_of_the_server - warm_sessions);
  pin(0, 1);
  const Figures f = measure(options);
  if (!options.json) {
    fmt::print("connected in {:.1f} s, {:.0f} us of the server each; {:.0f} MiB resident\n",
               f.connect_seconds, f.connect_us, f.resident_mib);
    fmt::print("heartbeats and clocks: {:.2f} us of the server a second and session\n", f.heartbeat_us);
    fmt::print(
        "{}\nidle: {:.0f} bytes of the server for each of {} sessions; {:.0f} of the kernel for both ends\n",
        machine(), f.bytes, options.sessions, f.kernel_bytes);
    return 0;
  }
  Object out = figure("idle", f.bytes, "bytes/session", f.kernel_bytes);
  out.count("sessions", options.sessions).number("connect_s", f.connect_seconds);
  out.number("connect_server_us", f.connect_us).number("server_us_per_session_s", f.heartbeat_us);
  fmt::print("{}\n", out.number("resident_mib", f.resident_mib).json());
  return 0;
}

}  // namespace
}  // namespace tidings::bench

int main(int argc, char** argv) {
  return tidings::bench::main_program(argc, argv);
}
