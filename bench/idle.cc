// B1 of performance.md: authenticated sessions that do nothing but heartbeats, without TLS and inside it.
// Memory of the gateway processes for each, from fresh processes with one arena of malloc; what the kernel
// holds for both ends of a connection is told apart; and the time that heartbeats cost. Beside it raw epoll
// servers that hold as many connections, inside TLS with the same OpenSSL.
#include <algorithm>
#include <filesystem>
#include <string>

#include "bench/certificate.h"
#include "bench/cluster.h"
#include "bench/hold.h"
#include "bench/raw_sessions.h"
#include "bench/report.h"

namespace tidings::bench {
namespace {

struct Options {
  size_t sessions = 30'000;
  double seconds = 20;
  bool json = false;
  bool plain = true, tls = true, raw = true;
  std::string binary;
};

struct Both {
  HoldFigures ours, raw;
};

Both measure(const Options& options, bool tls) {
  const size_t processes =
      std::max<size_t>(2, (options.sessions + sessions_per_process_max - 1) / sessions_per_process_max);
  const Directory directory;
  const auto people = make_people(directory.path(), static_cast<int>(options.sessions));
  HoldPlan plan;
  plan.people = &people;
  plan.loads = processes;
  plan.tls = tls;
  plan.seconds = options.seconds;
  const auto files = tls ? make_certificate(directory.path()) : CertificateFiles();
  Both both;
  if (options.raw) both.raw = hold_raw(processes, files.certificate, files.key, plan);
  std::vector<std::string> more;
  if (tls)
    more = {"--set", "server.tls_certificate=" + files.certificate, "--set", "server.tls_key=" + files.key};
  const Cluster cluster(options.binary, directory.path(), processes, more);
  both.ours = hold(cluster, plan);
  return both;
}

void print(const char* what, const HoldFigures& f) {
  fmt::print("{:>12} {:>9} {:>11.0f} {:>11.0f} {:>11.0f} {:>11.0f} {:>9.1f} {:>9.1f} {:>9.3f} {:>9.3f}\n",
             what, f.sessions, f.bytes, f.resident_bytes, f.core_bytes, f.kernel_bytes, f.connect_us,
             f.core_connect_us, f.heartbeat_us, f.core_heartbeat_us);
}

void add(Object& out, const std::string& prefix, const HoldFigures& f) {
  out.number(prefix + "bytes", f.bytes).number(prefix + "resident_bytes", f.resident_bytes);
  out.number(prefix + "core_bytes", f.core_bytes).number(prefix + "kernel_bytes", f.kernel_bytes);
  out.number(prefix + "connect_s", f.connect_seconds).number(prefix + "connect_us", f.connect_us);
  out.number(prefix + "core_connect_us", f.core_connect_us);
  out.number(prefix + "us_per_session_s", f.heartbeat_us);
  out.number(prefix + "core_us_per_session_s", f.core_heartbeat_us);
  out.count(prefix + "came_again", f.came_again);
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
    } else if (flag == "--seconds") {
      options.seconds = std::stod(value());
    } else if (flag == "--plain") {
      options.tls = false;
    } else if (flag == "--tls") {
      options.plain = false;
    } else if (flag == "--no-reference") {
      options.raw = false;
    } else if (flag == "--binary") {
      options.binary = value();
    } else {
      give_up("unknown flag " + flag +
              " (there are --quick, --json, --sessions N, --seconds S, --plain, --tls, --no-reference, "
              "--binary PATH)");
    }
  }
  const Both plain = options.plain ? measure(options, false) : Both();
  const Both tls = options.tls ? measure(options, true) : Both();
  const Both& first = options.plain ? plain : tls;
  if (!options.json) {
    fmt::print("{:>12} {:>9} {:>11} {:>11} {:>11} {:>11} {:>9} {:>9} {:>9} {:>9}\n", "for each", "sessions",
               "bytes", "resident", "core", "kernel", "connect", "core us", "us/s", "core us/s");
    if (options.plain) print("plain", plain.ours);
    if (options.plain && options.raw) print("raw", plain.raw);
    if (options.tls) print("TLS", tls.ours);
    if (options.tls && options.raw) print("raw TLS", tls.raw);
    fmt::print("{}\nidle: {:.0f} bytes of the gateways for each of {} sessions, the raw server {:.0f}\n",
               machine(), first.ours.bytes, options.sessions, first.raw.bytes);
    return 0;
  }
  Object out = figure("idle", first.ours.bytes, "bytes/session", first.raw.bytes);
  out.count("sessions", options.sessions);
  if (options.plain) {
    add(out, "", plain.ours);
    add(out, "raw_", plain.raw);
  }
  if (options.tls) {
    add(out, "tls_", tls.ours);
    add(out, "raw_tls_", tls.raw);
  }
  fmt::print("{}\n", out.json());
  return 0;
}

}  // namespace
}  // namespace tidings::bench

int main(int argc, char** argv) {
  return tidings::bench::main_program(argc, argv);
}
