#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include <sys/wait.h>

#include "test/faults/disk.h"
#include "test/faults/found_log.h"
#include "test/faults/strace.h"
#include "test/faults/world.h"
#include "wire/record.h"

namespace tidings::faults {
namespace {

using base::milliseconds;
using base::seconds;

// So small that segments are made all the time.
const std::string small_segments = "storage.segment_bytes=128KiB";
constexpr uint64_t rare = 30;  // calls in the survey: what belongs to segments; one is as good as another
constexpr uint64_t rare_kills = 4;
constexpr auto hit_within = seconds(3);
constexpr uint64_t misses_max = 2;         // after a restart another shard may have all clients
constexpr size_t accounts_asked_max = 20;  // a log-in is 60 ms of work

int64_t wall_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string first_line_of(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// The group whose sync failed stands at the end, and no trailer names it. Nothing in it may be ticked, and a
// disk that loses it, as disks do after EIO, must lose nothing that counts.
// False if there is no such group: the call that failed was for a new segment.
bool judge_failed_group(World& world, uint64_t n, Tally& tally) {
  const std::string directory = world.server().data() + "/log";
  const auto segments = find_log(read_files(directory));
  if (segments.empty() || segments.back().vouched || segments.back().groups.empty()) return false;
  const auto& last = segments.back();
  const auto& ticked = world.ticked();
  for (const auto& record : last.groups.back().records) {
    const auto decoded = wire::decode_record(record.payload);
    const auto* command = decoded.ok() ? std::get_if<model::Command>(&*decoded) : nullptr;
    if (command && ticked.contains(command->client_id)) {
      tally.violation(fmt::format("EIO at fdatasync {}: {} was ticked, and its sync failed", n,
                                  model::to_text(command->client_id)));
    }
  }
  if (n % 2) std::filesystem::resize_file(directory + "/" + last.name, last.groups.back().offset);
  return true;
}

}  // namespace

void sync_fails(const DiskOptions& options, Tally& tally) {
  const uint64_t last = options.amount == Amount::quick ? 12 : options.amount == Amount::full ? 100 : 50;
  const uint64_t step = options.amount == Amount::quick ? 3 : 1;
  World world(options, {.settings = {small_segments}});
  if (auto begun = world.begin(); !begun.ok()) return tally.violation(begun.error().sentence);
  double slowest_ms = 0;
  int groups = 0;
  for (const std::string call : {"fdatasync", "fsync"}) {
    // fsync is for directories only: once for each segment.
    for (uint64_t n = 1; n <= (call == "fsync" ? std::min<uint64_t>(last, 5) : last); n += step) {
      auto strace =
          Strace::attach(find_thread(world.server().pid(), "log"), false,
                         {"-e", "trace=" + call, "-e", fmt::format("inject={}:error=EIO:when={}", call, n)},
                         world.scratch().aside() + ".strace");
      if (!strace.ok()) return tally.skip("EIO", strace.error().sentence);
      const auto status = world.server().wait_for_end(seconds(20));
      const int64_t ended_ns = wall_ns();
      const int64_t injected_ns = (*strace)->injected_at_ns();
      if (!injected_ns) {
        tally.no_hit();
        if (!status) world.server().kill();
      } else {
        tally.judged();
        const double took_ms = static_cast<double>(ended_ns - injected_ns) / 1e6;
        slowest_ms = std::max(slowest_ms, took_ms);
        const std::string which = fmt::format("EIO at {} {}", call, n);
        if (!status) {
          tally.violation(which + ": the server goes on");
          world.server().kill();
        } else if (!WIFEXITED(*status) || WEXITSTATUS(*status) == 0) {
          tally.violation(fmt::format("{}: the server ended with wait status {}", which, *status));
        } else if (took_ms > 1000) {
          tally.violation(fmt::format("{}: the server needed {:.0f} ms to end", which, took_ms));
        }
        if (world.server().said().find("cannot sync") == std::string::npos)
          tally.violation(which + ": the server said nothing of it");
        groups += judge_failed_group(world, n, tally);
      }
      if (auto again = world.start_again(); !again.ok()) {
        world.scratch().keep();
        return tally.violation(again.error().sentence);
      }
    }
  }
  Tally::progress("  ended within {:.0f} ms of the EIO; {} groups stood there unsynced and were looked at",
                  slowest_ms, groups);
  tally.add("EIO", world.end());
}

void killed_at_calls(const DiskOptions& options, Tally& tally) {
  const uint64_t most = options.count                     ? options.count
                        : options.amount == Amount::quick ? 4
                        : options.amount == Amount::full  ? 60
                                                          : 24;
  World world(options, {.settings = {small_segments}});
  if (auto begun = world.begin(); !begun.ok()) return tally.violation(begun.error().sentence);
  const std::string output = world.scratch().aside() + ".strace";

  // Who makes which call is found out, not believed: a person more makes SQLite write, too.
  Calls calls;
  {
    auto strace = Strace::attach(world.server().pid(), true,
                                 {"-e", fmt::format("trace={},{}", disk_calls, answer_calls)}, output);
    if (!strace.ok()) return tally.skip("killed at calls", strace.error().sentence);
    if (auto added = world.crowd().add("somebody", "phone"); !added.ok())
      return tally.violation(added.error().sentence);
    std::this_thread::sleep_for(milliseconds(1500));
  }
  calls = count_calls(output);
  uint64_t people = 0;
  for (const auto& [who, times] : calls) {
    const auto& [thread, call] = who;
    uint64_t hits = 0, misses = 0;
    const bool sql = thread == "sql";
    // The store writes seldom, too, but each batch is another state.
    const uint64_t last = times < rare && thread != "store" ? std::min(most, rare_kills) : most;
    for (uint64_t k = 1; k <= last; ++k) {
      const pid_t id = find_thread(world.server().pid(), thread);
      if (!id) break;
      auto strace = Strace::attach(
          id, false, {"-e", "trace=" + call, "-e", fmt::format("inject={}:signal=KILL:when={}", call, k)},
          output);
      if (!strace.ok()) return tally.skip("killed at calls", strace.error().sentence);
      if (sql) {
        for (int i = 0; i < 3; ++i) world.crowd().ask_for_account(fmt::format("somebody{}", people++));
      }
      if (!world.server().wait_for_end(hit_within)) {
        if (++misses == misses_max) break;
        continue;
      }
      ++hits;
      tally.judged();
      strace->reset();
      if (auto again = world.start_again(); !again.ok()) {
        tally.violation(fmt::format("killed at {} {} of {}: {}", call, k, thread, again.error().sentence));
        return world.scratch().keep();
      }
    }
    Tally::progress("  killed at {} of thread {}: {} times", call, thread, hits);
  }
  // Who was told of an account has it.
  auto accounts = world.crowd().accounts();
  if (accounts.size() > accounts_asked_max) accounts.resize(accounts_asked_max);
  for (const auto& handle : accounts) {
    if (auto log_in = world.crowd().log_in(handle, "phone"); !log_in.ok())
      tally.violation(log_in.error().sentence);
  }
  tally.add("killed at calls", world.end());
}

void killed_at_starts(const DiskOptions& options, Tally& tally) {
  const uint64_t most = options.amount == Amount::quick ? 2 : options.amount == Amount::full ? 200 : 40;
  World world(options, {.settings = {small_segments}});
  const std::string output = world.scratch().aside() + ".strace";
  // The first start of all, on nothing, and starts on what a killed server left, its store to be flushed.
  for (const bool first : {true, false}) {
    if (!first) {
      if (auto begun = world.begin(); !begun.ok()) return tally.violation(begun.error().sentence);
      std::this_thread::sleep_for(milliseconds(500));
      world.server().kill();
    }
    const std::string list = disk_calls;
    for (size_t from = 0; from < list.size();) {
      const size_t comma = std::min(list.find(',', from), list.size());
      const std::string call = list.substr(from, comma - from);
      from = comma + 1;
      uint64_t hits = 0;
      // A first start needs a whole one behind it to be judged.
      for (uint64_t k = 1; k <= (first ? (most + 2) / 3 : most); ++k) {
        if (first) std::filesystem::remove_all(world.server().data());
        if (auto started =
                world.server().start({"strace", "-D", "-f", "-o", output, "-e", "trace=" + call, "-e",
                                      fmt::format("inject={}:signal=KILL:when={}", call, k)});
            !started.ok())
          return tally.violation(started.error().sentence);
        const auto ready = world.server().wait_until_ready(seconds(20));
        if (ready.ok()) {
          world.server().kill();
          break;
        }
        const auto status = world.server().wait_for_end(seconds(1));
        if (!status || !WIFSIGNALED(*status)) {
          const std::string said = first_line_of(world.server().said());
          if (k == 1 && first && said.find("strace") != std::string::npos)
            return tally.skip("killed at starts", said);
          tally.violation(fmt::format("a start after a kill at {} {} fails: {}", call, k - 1, said));
          return world.scratch().keep();
        }
        ++hits;
        tally.judged();
        if (!first) continue;
        if (auto started = world.server().start(); !started.ok())
          return tally.violation(started.error().sentence);
        if (auto again = world.server().wait_until_ready(seconds(20)); !again.ok()) {
          tally.violation(
              fmt::format("after a kill at {} {} of the first start: {}", call, k, world.server().said()));
          return world.scratch().keep();
        }
        world.server().kill();
      }
      if (hits)
        Tally::progress("  killed at {} of {} start: {} times", call, first ? "the first" : "a", hits);
    }
  }
  if (auto again = world.start_again(); !again.ok()) {
    tally.violation("after kills at starts: " + again.error().sentence);
    return world.scratch().keep();
  }
  tally.add("killed at starts", world.end());
}

}  // namespace tidings::faults
