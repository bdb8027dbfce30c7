// Clients that stop reading, in a group of 500 in which 50 messages a second are written (reliability.md,
// F14): what they cost the server, whether they are closed in the end, and whether the others feel them.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "base/hash.h"
#include "engine/embedded/sqlite_accounts.h"
#include "engine/embedded/system_clock.h"
#include "engine/embedded/system_random.h"
#include "test/faults/crowd.h"
#include "test/faults/private_network.h"
#include "test/faults/runs.h"
#include "test/faults/scratch.h"
#include "test/faults/server_process.h"
#include "test/faults/slow_connections.h"
#include "test/faults/tally.h"

namespace tidings::faults {
namespace {

using base::milliseconds;
using base::seconds;

constexpr size_t members = 500, readers = 20;
constexpr size_t messages_each_second = 50;
constexpr size_t text_bytes = 300;
constexpr double bytes_each_max = 256 * 1024;
// Written, taken by the kernel, counted by the server: then 60 s without progress.
constexpr auto closed_within = seconds(150);
constexpr double others_slower_max = 1.1, others_slower_ms = 2;  // the second: of a machine that others use
constexpr uint64_t packet_bytes_max =
    1500;  // on a wide loopback the kernel keeps megabytes for who does not read

struct SlowPerson {
  model::UserId user;
  std::vector<std::string> tokens;
};

// Hashing a password takes 60 ms; who shows a token needs none.
base::Result<std::vector<SlowPerson>> make_slow_people(const std::string& data, size_t connections) {
  std::filesystem::create_directories(data);
  auto accounts = embedded::SqliteAccounts::open(data + "/accounts.sqlite");
  if (!accounts) return base::fail(accounts.error());
  embedded::SystemRandom random;
  const embedded::SystemClock clock;
  std::vector<SlowPerson> people(members - readers);
  for (size_t i = 0; i < people.size(); ++i) {
    people[i].user = {random.u64() >> 1};
    const std::string name = fmt::format("slow{}", i);
    bool made = (*accounts)->add_account({people[i].user, name, name, "!"}).ok();
    for (size_t n = i; n < connections; n += people.size()) {
      people[i].tokens.push_back(fmt::format("slow-{}-{}", n, random.u64()));
      made = made && (*accounts)
                         ->add_device({{random.u64() >> 1},
                                       people[i].user,
                                       "slow",
                                       base::sha256(people[i].tokens.back()),
                                       clock.wall(),
                                       clock.wall() + std::chrono::hours(24)})
                         .ok();
    }
    if (!made) return base::failure("the people could not be made");
  }
  return people;
}

double resident_bytes(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  double all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}
size_t open_files(pid_t pid) {
  std::error_code gone;
  const std::filesystem::directory_iterator files(fmt::format("/proc/{}/fd", pid), gone);
  return gone ? 0 : static_cast<size_t>(std::distance(begin(files), end(files)));
}

class SlowRun {
 public:
  SlowRun(const Options& options, const std::string& amount)
      : connections_(options.count),
        quiet_time_(amount == "quick" ? seconds(10) : seconds(30)),
        server_(options.binary, scratch_.data()),
        crowd_({"127.0.0.1", server_.port()}) {}

  base::Status run() {
    if (auto ready = begin(); !ready.ok()) return ready;
    alone_p99_ms_ = talk_alone();

    const size_t files_before = open_files(server_.pid());
    for (const auto& person : slow_people_) {
      for (const auto& token : person.tokens) {
        if (auto added = slow_.add(server_.port(), token); !added.ok()) return added;
      }
    }
    if (open_files(server_.pid()) < files_before + connections_)
      tally_.violation("not all slow clients are connected");
    const double bytes_before = resident_bytes(server_.pid());
    Tally::progress("without them: p99 {:.1f} ms; {} slow clients are connected, {:.0f} MiB", alone_p99_ms_,
                    slow_.size(), bytes_before / 1048576);

    const int64_t begun = now_ns();
    talk(true);
    double bytes_max = bytes_before;
    size_t files = 0;
    int64_t closing_ns = 0;
    const auto elapsed = [&] { return base::nanoseconds(now_ns() - begun); };
    do {
      std::this_thread::sleep_for(milliseconds(250));
      bytes_max = std::max(bytes_max, resident_bytes(server_.pid()));
      files = open_files(server_.pid());
      if (!closing_ns && files < files_before + connections_ / 2) closing_ns = now_ns();
    } while (files > files_before && elapsed() < closed_within);
    closed_after_s_ = static_cast<double>(elapsed().count()) / 1e9;
    const int64_t closed = now_ns();
    // At least as long as without them.
    if (elapsed() < quiet_time_) std::this_thread::sleep_for(quiet_time_ - elapsed());
    talk(false);
    std::this_thread::sleep_for(seconds(2));
    // While what they do not read is still taken for them, they cost as much as who reads.
    const auto filling =
        base::nanoseconds(std::min<int64_t>((closed - begun) / 2, base::nanoseconds(seconds(20)).count()));
    filling_p99_ms_ = p99_ms(begun, begun + filling.count());
    among_p99_ms_ =
        p99_ms(begun + filling.count(), std::max(closed, begun + base::nanoseconds(quiet_time_).count()));
    // Before and after, because a machine that others use is not the same for three minutes.
    alone_after_p99_ms_ = talk_alone();
    bytes_each_ = (bytes_max - bytes_before) / static_cast<double>(connections_);
    judge(files, files_before);
    return end();
  }

  const Tally& tally() const { return tally_; }
  Scratch& scratch() { return scratch_; }
  std::string json() const {
    return fmt::format(
        "{{\"cases\":{},\"violations\":{},\"connections\":{},\"bytes_each\":{:.0f},\"closed_after_s\":{:.0f},"
        "\"told\":{},"
        "\"p99_alone_ms\":{:.1f},\"p99_filling_ms\":{:.1f},\"p99_among_ms\":{:.1f},"
        "\"p99_alone_after_ms\":{:.1f},\"skipped\":{}}}\n",
        tally_.cases(), tally_.violations(), connections_, bytes_each_, closed_after_s_, told_, alone_p99_ms_,
        filling_p99_ms_, among_p99_ms_, alone_after_p99_ms_, tally_.skipped().size());
  }

 private:
  base::Status begin() {
    auto people = make_slow_people(scratch_.data(), connections_);
    if (!people.ok()) return base::fail(people.error());
    slow_people_ = *std::move(people);
    // They all come from one address, which has a rate; older servers do not know the key.
    for (const auto& settings : std::vector<std::vector<std::string>>{{"limits.profile=bench"}, {}}) {
      server_.give(settings, {});
      if (auto started = server_.start(); !started.ok()) return started;
      if (server_.wait_until_ready(seconds(20)).ok()) break;
    }
    if (!server_.running()) return base::failure("the server does not start: " + server_.said());
    std::vector<model::UserId> all;
    for (const auto& person : slow_people_) all.push_back(person.user);
    for (size_t i = 0; i < readers; ++i) {
      auto device = crowd_.add(fmt::format("reader{}", i), "phone");
      if (!device.ok()) return base::fail(device.error());
      devices_.push_back(*device);
      if (i > 0) all.push_back((*device)->user());
    }
    auto answer = std::make_shared<std::promise<std::optional<model::ConversationId>>>();
    auto made = answer->get_future();
    crowd_.reactor().post([&] {
      devices_[0]->core().create_group(
          "slow readers", all, model::History::joining, [answer](auto conversation) {
            answer->set_value(conversation.ok() ? std::optional(*conversation) : std::nullopt);
          });
    });
    if (made.wait_for(seconds(30)) != std::future_status::ready)
      return base::failure("no answer to the group");
    const auto group = made.get();
    if (!group) return base::failure("the group is refused");
    group_ = *group;
    const auto known = [&] {
      return std::all_of(devices_.begin(), devices_.end(), [&](auto* device) {
        return device->online() && device->core().conversation(group_);
      });
    };
    if (!crowd_.wait_for(known, seconds(30))) return base::failure("not everybody knows the group");
    return {};
  }

  void talk(bool on) {
    crowd_.run([&] {
      talking_ = on;
      next_ns_ = now_ns();
      if (on && !timer_) go_on();
    });
  }
  void go_on() {
    timer_ = talking_;
    if (!talking_) return;
    constexpr int64_t step_ns = 1'000'000'000 / messages_each_second;
    // A machine that stood still is not punished by a burst.
    next_ns_ = std::max(next_ns_, now_ns() - 2 * step_ns);
    for (; next_ns_ <= now_ns(); next_ns_ += step_ns) {
      std::string text = fmt::format("message {} ", ++number_);
      text.resize(text_bytes, '.');
      devices_[number_ % readers]->say_in(group_, std::move(text));
    }
    crowd_.reactor().after(milliseconds(5), [this] { go_on(); });
  }

  double talk_alone() {
    const auto from = now_ns();
    talk(true);
    std::this_thread::sleep_for(quiet_time_);
    talk(false);
    std::this_thread::sleep_for(seconds(1));
    return p99_ms(from, now_ns());
  }

  // From the wish of one reader to what another one shows, of messages that were wished for in this time.
  double p99_ms(int64_t from_ns, int64_t to_ns) {
    return crowd_.run([&] {
      std::map<model::ClientId, std::pair<int64_t, checker::Device>> wished;
      std::vector<int64_t> all;
      for (const auto& record : crowd_.history().records()) {
        if (record.what == checker::What::invoke && record.time_ns >= from_ns && record.time_ns < to_ns)
          wished[record.event.client_id] = {record.time_ns, record.device};
        if (record.what != checker::What::show) continue;
        const auto found = wished.find(record.event.client_id);
        if (found != wished.end() && found->second.second != record.device)
          all.push_back(record.time_ns - found->second.first);
      }
      if (all.empty()) return 0.0;
      std::sort(all.begin(), all.end());
      return static_cast<double>(all[(all.size() * 99 + 99) / 100 - 1]) / 1e6;
    });
  }

  void judge(size_t files, size_t files_before) {
    Tally::progress(
        "with them: p99 {:.1f} ms while they fill up, {:.1f} ms after that, {:.1f} ms when they have gone; "
        "{:.0f} KiB each; "
        "closed after {:.0f} s",
        filling_p99_ms_, among_p99_ms_, alone_after_p99_ms_, bytes_each_ / 1024, closed_after_s_);
    if (bytes_each_ > bytes_each_max)
      tally_.violation(fmt::format("a slow client costs {:.0f} bytes", bytes_each_));
    tally_.judged();
    if (files > files_before)
      tally_.violation(fmt::format("{} slow clients are connected after {} s", files - files_before,
                                   closed_within.count()));
    const auto ends = slow_.read_to_the_end();
    told_ = ends.told;
    if (ends.ended != slow_.size()) tally_.violation("a slow client that reads at last does not find an end");
    tally_.judged();
    if (alone_p99_ms_ == 0 || among_p99_ms_ == 0 || alone_after_p99_ms_ == 0)
      tally_.violation("nobody heard anything");
    const auto [least_ms, most_ms] = std::minmax(alone_p99_ms_, alone_after_p99_ms_);
    const auto too_slow = [&](double alone_ms) {
      return among_p99_ms_ > alone_ms * others_slower_max + others_slower_ms;
    };
    const std::string told =
        fmt::format("the others' p99 is {:.1f} ms, and without them {:.1f} before and {:.1f} ms after",
                    among_p99_ms_, alone_p99_ms_, alone_after_p99_ms_);
    if (too_slow(most_ms)) {
      tally_.violation(told);
    } else if (too_slow(least_ms)) {
      tally_.skip("p99", told + ": the machine was not the same");
      return;
    }
    tally_.judged();
  }

  // The others have lost nothing.
  base::Status end() {
    const auto settled = [&] {
      return std::all_of(devices_.begin(), devices_.end(), [](auto* device) { return device->settled(); });
    };
    if (!crowd_.wait_for(settled, seconds(60)))
      crowd_.run([&] { crowd_.history().stuck("the readers do not come to rest"); });
    std::vector<CrowdDevice*> fresh;
    for (size_t i = 0; i < readers; ++i) {
      auto device = crowd_.add(fmt::format("reader{}", i), "fresh device");
      if (!device.ok()) return base::fail(device.error());
      fresh.push_back(*device);
    }
    const auto all_settled = [&] {
      return std::all_of(fresh.begin(), fresh.end(), [](auto* device) { return device->settled(); });
    };
    if (!crowd_.wait_for(all_settled, seconds(60)))
      crowd_.run([&] { crowd_.history().stuck("the fresh devices do not come to rest"); });
    auto stopped = server_.stop();
    const auto verdict = crowd_.run([&] {
      for (auto* device : fresh) device->give_copies(true);
      for (auto* device : devices_) device->give_copies(false);
      return checker::check(crowd_.history());
    });
    tally_.add("the others", verdict);
    tally_.judged();
    if (verdict.violations()) scratch_.keep();
    return stopped;
  }

  Scratch scratch_;
  const size_t connections_;
  const base::nanoseconds quiet_time_;
  ServerProcess server_;
  Crowd crowd_;
  std::vector<SlowPerson> slow_people_;
  std::vector<CrowdDevice*> devices_;
  SlowConnections slow_;
  model::ConversationId group_;
  Tally tally_;
  double alone_p99_ms_ = 0, filling_p99_ms_ = 0, among_p99_ms_ = 0, alone_after_p99_ms_ = 0, bytes_each_ = 0,
         closed_after_s_ = 0;
  size_t told_ = 0;
  // On the crowd's reactor.
  bool talking_ = false, timer_ = false;
  int64_t next_ns_ = 0;
  uint64_t number_ = 0;
};

}  // namespace

int run_slow(const Options& options, const std::string& amount) {
  // Not needed, only sooner done.
  if (auto network = PrivateNetwork::enter(packet_bytes_max); !network.ok())
    Tally::progress("on the machine's own loopback: {}", network.error().sentence);
  SlowRun run(options, amount);
  if (auto done = run.run(); !done.ok()) return failed(run.scratch(), done.error().sentence);
  fmt::print("{}", options.json ? run.json()
                                : fmt::format("{} cases, {} violations\n", run.tally().cases(),
                                              run.tally().violations()));
  return run.tally().violations() ? 1 : 0;
}

}  // namespace tidings::faults
