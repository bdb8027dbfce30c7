// The server's wall clock jumps (reliability.md, F12; protocol.md §1 "Stamps"). libfaketime bends it in the
// server's process alone; the clients keep the true time.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "test/faults/found_log.h"
#include "test/faults/probe.h"
#include "test/faults/runs.h"
#include "test/faults/tally.h"
#include "test/faults/world.h"

namespace tidings::faults {
namespace {

using base::milliseconds;
using base::seconds;
using std::chrono::hours;

constexpr auto answered_within = seconds(5);
constexpr auto lead_max = seconds(2);  // of stamps before a wall clock that they believe

std::string find_library() {
  for (const char* directory : {"/usr/lib", "/usr/lib64", "/usr/local/lib"}) {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(directory, none)) {
      const auto path = entry.path() / "faketime/libfaketimeMT.so.1";
      if (std::filesystem::exists(path)) return path;
    }
    const auto path = std::filesystem::path(directory) / "faketime/libfaketimeMT.so.1";
    if (std::filesystem::exists(path)) return path;
  }
  return "";
}

base::WallTime true_time(int64_t monotonic_ns) {
  const auto ago = std::chrono::nanoseconds(now_ns() - monotonic_ns);
  return base::WallTime(
      std::chrono::floor<milliseconds>(std::chrono::system_clock::now().time_since_epoch() -
                                       std::chrono::duration_cast<std::chrono::system_clock::duration>(ago)));
}

// The clock of one server.
class BentClock {
 public:
  BentClock(std::string library, std::string file) : library_(std::move(library)), file_(std::move(file)) {
    set("+0");
  }
  std::vector<std::string> environment() const {
    return {"LD_PRELOAD=" + library_, "FAKETIME_TIMESTAMP_FILE=" + file_, "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "FAKETIME_NO_CACHE=1"};
  }
  // In libfaketime's words: "-1h", "+10y".
  void set(const std::string& by) {
    std::ofstream(file_ + ".new") << by << "\n";
    std::filesystem::rename(file_ + ".new", file_);
  }

 private:
  const std::string library_, file_;
};

struct Jump {
  const char* by;
  base::nanoseconds lasts;
  // What a true clock says less a stamp, at most: how far behind, how far ahead.
  base::nanoseconds behind_max, ahead_max;
  bool frozen;  // stamps stand still meanwhile, which shows that the server sees it; else it raises an alarm
  bool at_start;
};

class Run {
 public:
  Run(const Options& options, const std::string& library, const Jump& jump, Tally& tally)
      : jump_(jump), tally_(tally), clock_(library, clock_file()), world_(options, setting()) {}
  ~Run() {
    std::error_code gone;
    std::filesystem::remove(clock_file_, gone);
  }

  void go() {
    if (auto begun = world_.begin(); !begun.ok()) return fail(begun.error().sentence);
    std::this_thread::sleep_for(milliseconds(500));
    const int64_t jumped = now_ns();
    if (jump_.at_start) {
      world_.server().kill();
      clock_.set(jump_.by);
      if (auto again = world_.start_again(); !again.ok()) return fail(again.error().sentence);
    } else {
      clock_.set(jump_.by);
      // Who comes back meanwhile is let in.
      world_.crowd().run([&] {
        world_.devices()[0]->core().disconnect();
        (void)world_.devices()[0]->core().connect();
      });
    }
    std::this_thread::sleep_for(jump_.lasts);
    const bool seen = jump_.frozen
                          ? is_behind(jumped)
                          : world_.server().said().find("the wall clock disagrees") != std::string::npos;
    clock_.set("+0");
    std::this_thread::sleep_for(seconds(1));
    if (!seen) {
      tally_.no_hit();
      std::fprintf(stderr, "VOID: %s: the server does not see it\n", name().c_str());
    }
    const auto verdict = world_.end();
    tally_.add(name(), verdict);
    judge_answers();
    judge_ids();
    judge_log();
    if (seen) tally_.judged();
    Tally::progress(
        "  {}: {} ticks, slowest {:.0f} ms, ids {:.0f} ms behind to {:.0f} ms ahead of the true time", name(),
        verdict.acked, slowest_ms_, behind_ms_, ahead_ms_);
  }

 private:
  std::string clock_file() {
    clock_file_ =
        (std::filesystem::temp_directory_path() / fmt::format("tidings-clock-{}-{}", getpid(), now_ns()))
            .string();
    return clock_file_;
  }
  World::Setting setting() const { return {.environment = clock_.environment()}; }
  std::string name() const {
    return fmt::format("{} {}", jump_.by, jump_.at_start ? "at a start" : "under load");
  }
  void fail(const std::string& what) {
    tally_.violation(name() + ": " + what);
    world_.scratch().keep();
  }

  template <class Call>
  void each_ok(Call call) {
    for (const auto& record : world_.crowd().history().records()) {
      if (record.what == checker::What::ok) call(record);
    }
  }
  // The newest ticks' stamps are of long ago: they wait until the clock has caught up with them.
  bool is_behind(int64_t since_ns) {
    return world_.crowd().run([&] {
      base::nanoseconds most{};
      each_ok([&](const auto& record) {
        if (record.time_ns < since_ns) return;
        most = std::max<base::nanoseconds>(most,
                                           true_time(record.time_ns) - model::message_time(record.event.id));
      });
      return most > jump_.lasts / 2;
    });
  }

  void judge_answers() {
    world_.crowd().run([&] {
      std::unordered_map<model::ClientId, int64_t> asked;
      for (const auto& record : world_.crowd().history().records()) {
        if (record.what == checker::What::invoke) asked.emplace(record.event.client_id, record.time_ns);
        if (record.what == checker::What::fail) fail("a message was finally refused");
        if (record.what != checker::What::ok) continue;
        const double took_ms = static_cast<double>(record.time_ns - asked[record.event.client_id]) / 1e6;
        slowest_ms_ = std::max(slowest_ms_, took_ms);
      }
    });
    if (slowest_ms_ > static_cast<double>(milliseconds(answered_within).count()))
      fail(fmt::format("a message waited {:.0f} ms for its tick", slowest_ms_));
  }
  void judge_ids() {
    world_.crowd().run([&] {
      std::map<model::MessageId, std::pair<model::ConversationId, model::Seq>> where;
      for (const auto& copy : world_.crowd().history().copies()) {
        model::MessageId before{};
        for (const auto& event : copy.events) {
          if (event.id <= before)
            fail(fmt::format("id {} stands behind id {}", event.id.value, before.value));
          before = event.id;
          const auto [entry, is_new] = where.emplace(event.id, std::pair{event.conversation, event.seq});
          if (!is_new && entry->second != std::pair{event.conversation, event.seq})
            fail(fmt::format("id {} was given twice", event.id.value));
        }
      }
      std::unordered_map<model::ClientId, int64_t> asked;
      for (const auto& record : world_.crowd().history().records()) {
        if (record.what == checker::What::invoke) asked.emplace(record.event.client_id, record.time_ns);
      }
      each_ok([&](const auto& record) {
        const auto stamp = model::message_time(record.event.id);
        const auto ms = [](auto duration) {
          return std::chrono::duration<double, std::milli>(duration).count();
        };
        ahead_ms_ = std::max(ahead_ms_, ms(stamp - true_time(record.time_ns)));
        behind_ms_ = std::max(behind_ms_, ms(true_time(asked[record.event.client_id]) - stamp));
      });
      if (ahead_ms_ > std::chrono::duration<double, std::milli>(jump_.ahead_max).count())
        fail(fmt::format("an id is {:.0f} ms ahead of the true time", ahead_ms_));
      if (behind_ms_ > std::chrono::duration<double, std::milli>(jump_.behind_max).count())
        fail(fmt::format("an id is {:.0f} ms behind the true time", behind_ms_));
    });
  }
  // Stamps never go back, over the starts too.
  void judge_log() {
    base::WallTime newest{};
    for (const auto& segment : find_log(read_files(world_.server().data() + "/log"))) {
      for (const auto& group : segment.groups) {
        for (const auto& record : group.records) {
          if (record.time < newest)
            fail(fmt::format("the stamp of record {} goes back", record.position.value));
          newest = std::max(newest, record.time);
        }
      }
    }
  }

  const Jump jump_;
  Tally& tally_;
  std::string clock_file_;
  BentClock clock_;
  World world_;
  double slowest_ms_ = 0, behind_ms_ = 0, ahead_ms_ = 0;
};

// The binary really lives in the bent time: an empty log believes the clock, and welcome shows it.
std::string is_bent(const Options& options, const std::string& library) {
  Scratch scratch;
  BentClock clock(library, scratch.aside());
  clock.set("-1h");
  ServerProcess server(options.binary, scratch.data());
  server.give({}, clock.environment());
  if (auto started = server.start(); !started.ok()) return started.error().sentence;
  if (auto ready = server.wait_until_ready(seconds(20)); !ready.ok()) return server.said();
  Crowd crowd({"127.0.0.1", server.port()});
  (void)crowd.add("somebody", "phone");
  auto log_in = crowd.log_in("somebody", "probe");
  if (!log_in.ok()) return log_in.error().sentence;
  Probe probe({"127.0.0.1", server.port()}, *log_in);
  const auto welcome = probe.welcome(seconds(10));
  if (!welcome) return "no welcome";
  const auto off = true_time(now_ns()) - hours(1) - welcome->now;
  return std::chrono::abs(off) < seconds(10) ? "" : "the server's now is not an hour ago";
}

}  // namespace

int run_clock(const Options& options, const std::string& amount) {
  Tally tally;
  const auto library = find_library();
  const auto lasts = seconds(amount == "quick" ? 2 : amount == "full" ? 15 : 5);
  if (library.empty()) {
    tally.skip("clock", "libfaketime is not installed");
  } else if (auto trouble = is_bent(options, library); !trouble.empty()) {
    tally.skip("clock", "the server does not see libfaketime: " + trouble);
  } else {
    const auto near = seconds(3);
    for (const bool at_start : {false, true}) {
      // Within a minute of what it showed, a clock is believed; time waits for it.
      Run(options, library, {"-45s", lasts, seconds(50), lead_max, true, at_start}, tally).go();
      Run(options, library, {"-1h", lasts, near, lead_max, false, at_start}, tally).go();
      Run(options, library, {"+10y", seconds(1), near, lead_max, false, at_start}, tally).go();
    }
    if (amount != "quick") Run(options, library, {"+1h", lasts, near, lead_max, false, false}, tally).go();
  }
  if (tally.cases() == 0 && tally.skipped().empty()) tally.violation("no case had its fault");
  if (options.json) {
    fmt::print("{{\"cases\":{},\"violations\":{},\"void\":{},\"skipped\":{}}}\n", tally.cases(),
               tally.violations(), tally.voids(), tally.skipped().size());
  } else {
    fmt::print("{} jumps of the clock, {} violations, {} unseen, {} skipped\n", tally.cases(),
               tally.violations(), tally.voids(), tally.skipped().size());
  }
  return tally.violations() ? 1 : 0;
}

}  // namespace tidings::faults
