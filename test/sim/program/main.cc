// tidings_sim: runs seeds of the simulator; the last line says how many histories broke a law.
// tidings_sim_bugs is the same program on libraries in which a deliberate bug can be switched on, and proves
// that the bug is found.
#include <chrono>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/seed_bug.h"
#include "test/sim/simulation.h"

namespace {

void explain(uint64_t seed, const std::string& program, int bug, const tidings::sim::Outcome& outcome) {
  fmt::print(stderr, "seed {}: {}\n  {}\n  replay: {} --seeds 1 --seed {}{} --verbose\n", seed,
             outcome.verdict.first, outcome.verdict.counts_text(), program, seed,
             bug ? fmt::format(" --bug {}", bug) : "");
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seeds = 1, first_seed = 1;
  int bug = 0;
  double seconds_max = 0;
  bool json = false, verbose = false, expect_violation = false, trace = false;
  CLI::App app{"Simulates one server and its clients under faults, and checks every history."};
  app.add_option("--seeds", seeds, "how many seeds to run");
  app.add_option("--seed", first_seed, "the first of them");
#ifdef TIDINGS_SEED_BUGS
  app.add_option("--bug", bug, "the deliberate bug to switch on; stops at the first seed that finds it");
#endif
  app.add_option("--seconds", seconds_max, "stop after so many seconds (0: run all seeds)");
  app.add_flag("--expect-violation", expect_violation, "succeed if, and only if, a history broke a law");
  app.add_flag("--json", json, "one JSON object on one line");
  app.add_flag("--trace", trace, "with --verbose, every frame");
  app.add_flag("--verbose", verbose, "tell what happened in each seed");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(verbose ? spdlog::level::info : spdlog::level::off);
  tidings::base::seed_bug_on = bug;

  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  uint64_t violations = 0, hash = 0, ran = 0, acked = 0, owed = 0;
  tidings::sim::Server::Sessions sessions;
  for (uint64_t i = 0; i < seeds; ++i) {
    if (seconds_max > 0 && elapsed() > seconds_max) break;
    const uint64_t seed = first_seed + i;
    tidings::sim::Simulation simulation(seed);
    if (trace) simulation.trace_frames();
    const auto outcome = simulation.run();
    ++ran;
    acked += outcome.verdict.acked;
    owed += outcome.owed;
    sessions.resumes += outcome.sessions.resumes;
    sessions.dirties += outcome.sessions.dirties;
    sessions.link_gaps += outcome.sessions.link_gaps;
    sessions.slow += outcome.sessions.slow;
    hash = hash * 0x9E3779B97F4A7C15ull + outcome.hash;
    if (verbose) {
      for (const auto& line : outcome.happened) fmt::print(stderr, "  {}\n", line);
      fmt::print(stderr, "seed {}: {}; {}\n", seed, outcome.summary, outcome.verdict.counts_text());
    }
    if (outcome.verdict.violations() == 0) continue;
    violations += outcome.verdict.violations();
    explain(seed, argv[0], bug, outcome);
    if (bug) break;
  }
  const auto speed = static_cast<double>(ran) / std::max(elapsed(), 1e-9);
  if (json) {
    fmt::print(
        "{{\"seeds\":{},\"violations\":{},\"hash\":\"{:016x}\",\"acked\":{},\"owed\":{},\"resumes\":{},"
        "\"dirty\":{},"
        "\"link_gaps\":{},\"slow_consumers\":{},\"seeds_per_second\":{:.1f}}}\n",
        ran, violations, hash, acked, owed, sessions.resumes, sessions.dirties, sessions.link_gaps,
        sessions.slow, speed);
  } else {
    fmt::print("{} seeds, {} violations, {} ticks, hash {:016x}, {:.1f} seeds/s\n", ran, violations, acked,
               hash, speed);
  }
  return (violations > 0) == expect_violation ? 0 : 1;
}
