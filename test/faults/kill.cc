// kill -9 at random under load (reliability.md, F1): 12 clients send 200 messages a second each to one other,
// and in groups of 3, 30 and 300 people in which some come and go.
#include <algorithm>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "engine/embedded/sqlite_accounts.h"
#include "engine/embedded/system_random.h"
#include "test/faults/crowd.h"
#include "test/faults/group_life.h"
#include "test/faults/runs.h"
#include "test/faults/scratch.h"
#include "test/faults/server_process.h"
#include "test/sim/prng.h"

namespace tidings::faults {
namespace {

using base::milliseconds;
using base::seconds;

constexpr size_t clients = 12;
constexpr size_t quiet_people = 288;  // fill a group of 300, and have no device
constexpr auto marks_quiet = seconds(5);
constexpr auto tick = milliseconds(5);  // one message per client: 200 a second

double p99_ms(std::vector<int64_t> ns) {
  if (ns.empty()) return 0;
  std::sort(ns.begin(), ns.end());
  return static_cast<double>(ns[(ns.size() * 99 + 99) / 100 - 1]) / 1e6;
}

// Sends from every device to its neighbour, one message per tick and device, until it is stopped.
class Load {
 public:
  Load(Crowd& crowd, std::vector<CrowdDevice*> devices) : crowd_(crowd), devices_(std::move(devices)) {}
  void start() {
    crowd_.run([this] {
      next_ns_ = now_ns();
      go_on();
    });
  }
  void stop() {
    crowd_.run([this] { stopped_ = true; });
  }

 private:
  void go_on() {
    if (stopped_) return;
    for (; next_ns_ <= now_ns(); next_ns_ += std::chrono::nanoseconds(tick).count()) {
      ++number_;
      for (size_t i = 0; i < devices_.size(); ++i) {
        devices_[i]->say(devices_[i ^ 1]->user(), fmt::format("{} {}", devices_[i]->name(), number_));
      }
    }
    crowd_.reactor().after(tick, [this] { go_on(); });
  }

  Crowd& crowd_;
  std::vector<CrowdDevice*> devices_;
  int64_t next_ns_ = 0;
  uint64_t number_ = 0;
  bool stopped_ = false;
};

// Signing up hashes a password for 60 ms; who has no device needs none.
base::Result<std::vector<model::UserId>> make_quiet_people(const std::string& data) {
  std::filesystem::create_directories(data);
  auto accounts = embedded::SqliteAccounts::open(data + "/accounts.sqlite");
  if (!accounts) return base::fail(accounts.error());
  embedded::SystemRandom random;
  std::vector<model::UserId> people;
  for (size_t i = 0; i < quiet_people; ++i) {
    people.push_back({random.u64() >> 1});
    const std::string handle = fmt::format("quiet{}", i);
    if (!(*accounts)->add_account({people.back(), handle, handle, "!"}).ok())
      return base::failure("the people could not be made");
  }
  return people;
}

}  // namespace

int run_kill(const Options& options) {
  Scratch scratch;
  const auto quiet = make_quiet_people(scratch.data());
  if (!quiet.ok()) return failed(scratch, quiet.error().sentence);
  ServerProcess server(options.binary, scratch.data());
  if (auto started = server.start(); !started.ok()) return failed(scratch, started.error().sentence);
  if (auto ready = server.wait_until_ready(seconds(20)); !ready.ok())
    return failed(scratch, ready.error().sentence);

  Crowd crowd({"127.0.0.1", server.port()});
  std::vector<CrowdDevice*> devices;
  for (size_t i = 0; i < clients; ++i) {
    auto device = crowd.add(fmt::format("person{}", i), "phone");
    if (!device.ok()) return failed(scratch, device.error().sentence);
    devices.push_back(*device);
  }
  const auto all_online = [&] {
    return std::all_of(devices.begin(), devices.end(), [](const auto* device) { return device->online(); });
  };
  if (!crowd.wait_for(all_online, seconds(20))) return failed(scratch, "the clients do not come online");
  for (size_t i = 0; i < clients; ++i) {
    if (auto opened = crowd.open(*devices[i], devices[i ^ 1]->user()); !opened.ok()) {
      return failed(scratch, opened.error().sentence);
    }
  }

  sim::Prng random(options.seed);
  Load load(crowd, devices);
  GroupLife groups(crowd, devices, random.next());
  if (auto begun = groups.begin(*quiet); !begun.ok()) return failed(scratch, begun.error().sentence);
  load.start();
  groups.start();
  std::vector<int64_t> first_acks, recoveries;
  std::string trouble;
  uint64_t kills = 0;
  for (; kills < options.count && trouble.empty(); ++kills) {
    std::this_thread::sleep_for(milliseconds(500) + random.duration(milliseconds(2500)));
    groups.progress(static_cast<double>(kills) / static_cast<double>(options.count));
    server.kill();
    const int64_t begun = now_ns();
    if (auto started = server.start(); !started.ok()) trouble = started.error().sentence;
    int64_t first = 0;
    const auto ticked = [&] {
      for (const auto* device : devices) {
        if (device->last_tick_ns() > begun && (!first || device->last_tick_ns() < first))
          first = device->last_tick_ns();
      }
      return first != 0;
    };
    if (!crowd.wait_for(ticked, seconds(30))) trouble = "no tick within 30 s of a restart";
    if (!crowd.wait_for(all_online, seconds(30)))
      trouble = "the clients are not back within 30 s of a restart";
    first_acks.push_back(first - begun);
    recoveries.push_back(now_ns() - begun);
  }
  std::this_thread::sleep_for(milliseconds(500));
  load.stop();
  groups.stop();
  auto& history = crowd.history();
  if (!trouble.empty()) crowd.run([&] { history.stuck(trouble); });

  const auto settled = [&] {
    return groups.settled() && std::all_of(crowd.devices().begin(), crowd.devices().end(),
                                           [](const auto& device) { return device->settled(); });
  };
  if (!crowd.wait_while_busy(settled, seconds(60)))
    crowd.run([&] { history.stuck("the clients do not come to rest"); });
  std::vector<CrowdDevice*> fresh;
  for (size_t i = 0; i < clients; ++i) {
    auto device = crowd.add(fmt::format("person{}", i), "fresh device");
    if (!device.ok()) return failed(scratch, device.error().sentence);
    fresh.push_back(*device);
  }
  if (!crowd.wait_while_busy(settled, seconds(60)))
    crowd.run([&] { history.stuck("the fresh devices do not come to rest"); });
  const auto tally = groups.tally();
  for (const auto& complaint : groups.complaints()) crowd.run([&] { history.stuck(complaint); });
  // Acks, marks and receipts each wait for a second.
  const auto quiet_marks = [&] {
    return std::all_of(crowd.devices().begin(), crowd.devices().end(),
                       [](const auto& device) {
                         return now_ns() - device->last_marks_ns() > base::nanoseconds(marks_quiet).count();
                       }) &&
           settled();
  };
  if (!crowd.wait_for(quiet_marks, seconds(60)))
    crowd.run([&] { history.stuck("the marks do not come to rest"); });
  const auto verdict = crowd.run([&] {
    for (auto* device : fresh) device->give_copies(true), device->give_views(true);
    for (auto* device : devices) device->give_copies(false), device->give_views(false);
    return checker::check(history);
  });
  auto stopped = server.stop();

  const auto lost = verdict.count(checker::Law::kept);
  const auto twice = verdict.count(checker::Law::once);
  const auto reordered = verdict.count(checker::Law::order) + verdict.count(checker::Law::contiguous);
  if (verdict.violations()) {
    fmt::print(stderr, "{}\n{}\nreplay: tidings_faults kill --binary {} --count {} --seed {}\n",
               verdict.first, verdict.counts_text(), options.binary, options.count, options.seed);
  }
  const double recover = p99_ms(recoveries), first_ack = p99_ms(first_acks);
  if (options.json) {
    fmt::print(
        "{{\"kills\":{},\"acked\":{},\"lost\":{},\"duplicated\":{},\"reordered\":{},\"recover_p99_ms\":{:.0f}"
        ","
        "\"first_ack_p99_ms\":{:.0f},\"group_sends\":{},\"reads\":{},\"joined\":{},\"left\":{},"
        "\"removed\":{},\"marks\":{},\"unread\":{},\"private\":{},\"same_state\":{},\"violations\":{}}}\n",
        kills, verdict.acked, lost, twice, reordered, recover, first_ack, tally.sends, tally.reads,
        tally.joined, tally.left, tally.removed, verdict.count(checker::Law::marks),
        verdict.count(checker::Law::unread), verdict.count(checker::Law::is_private),
        verdict.count(checker::Law::same_state), verdict.violations());
  } else {
    fmt::print(
        "{} kills, {} acked, {} lost, {} duplicated, {} reordered, recovered p99 {:.0f} ms, first tick p99 "
        "{:.0f} ms; in groups {} messages, {} people joined, {} left, {} were removed\n",
        kills, verdict.acked, lost, twice, reordered, recover, first_ack, tally.sends, tally.joined,
        tally.left, tally.removed);
  }
  if (!stopped.ok()) return failed(scratch, stopped.error().sentence);
  if (verdict.violations()) scratch.keep();
  return verdict.violations() ? 1 : 0;
}

}  // namespace tidings::faults
