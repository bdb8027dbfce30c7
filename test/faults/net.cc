// Bad networks between real clients and the real server (reliability.md, F11): connections that are dead and
// nobody says so, one direction that is gone, loss, stalls, and connections that are cut in the middle of
// frames.
#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "test/faults/private_network.h"
#include "test/faults/tally.h"
#include "test/faults/world.h"
#include "test/sim/prng.h"

namespace tidings::faults {
namespace {

using base::milliseconds;
using base::seconds;

constexpr uint64_t packet_bytes_max = 600;
constexpr size_t text_bytes = 1500;           // more than two packets
constexpr auto dead_peer_seen = seconds(40);  // clients end a silence of 38 s
constexpr auto tolerance = seconds(1);        // of timers, on a machine that does other things
constexpr auto back_within = seconds(60);  // back-off up to 20 s, and 15 s for a try that begins in the fault

class NetRun {
 public:
  NetRun(const Options& options, PrivateNetwork& network, const std::string& amount)
      : network_(network),
        amount_(amount),
        random_(options.seed),
        world_(options, {.people = 8,
                         .tick = milliseconds(50),
                         .text_bytes = text_bytes,
                         .settings = {"storage.free_bytes_min=0"}}) {}

  base::Status run() {
    if (auto begun = world_.begin(); !begun.ok()) return begun;
    up_ = fmt::format("tcp dport {}", world_.server().port());
    down_ = fmt::format("tcp sport {}", world_.server().port());
    const bool quick = amount_ == "quick", full = amount_ == "full";
    const int rounds = full ? 5 : 1;
    for (int i = 0; i < rounds; ++i) {
      const std::vector<std::pair<const char*, std::function<base::Status()>>> families{
          {"stalls of 2 s", [&] { return stalls(quick ? 2 : 8); }},
          {"loss of 20 %", [&] { return loss(quick ? seconds(6) : seconds(30)); }},
          {"connections cut in the middle of frames", [&] { return cuts(quick ? 10 : 40); }},
          {"the server's end is gone and nobody was told", [&] { return one_end_gone("sport"); }},
          {"the client's end is gone and nobody was told", [&] { return one_end_gone("dport"); }},
          {"connections that are dead without a word", [&] { return silent_connections(); }},
          {"nothing from clients arrives", [&] { return quick ? base::Status() : one_way(up_); }},
          {"nothing from the server arrives", [&] { return quick ? base::Status() : one_way(down_); }}};
      for (const auto& [name, family] : families) {
        const auto begun = now_ns();
        const auto cases = tally_.cases();
        if (auto done = family(); !done.ok()) return done;
        if (tally_.cases() > cases)
          Tally::progress("{}: {} cases, {} violations so far, {:.0f} s", name, tally_.cases() - cases,
                          tally_.violations(), static_cast<double>(now_ns() - begun) / 1e9);
      }
    }
    tally_.add("the end", world_.end());
    return {};
  }

  const Tally& tally() const { return tally_; }
  double seen_max_s() const { return static_cast<double>(seen_max_ns_) / 1e9; }
  double back_max_ms() const { return static_cast<double>(back_max_ns_) / 1e6; }
  Scratch& scratch() { return world_.scratch(); }

 private:
  int downs() {
    return world_.crowd().run([&] {
      int all = 0;
      for (const auto* device : world_.devices()) all += device->downs();
      return all;
    });
  }
  // Everybody is online again and somebody is ticked.
  void must_be_back(const std::string& what) {
    const int64_t healed = now_ns();
    const auto online = [&] {
      return std::all_of(world_.devices().begin(), world_.devices().end(),
                         [](const auto* d) { return d->online(); });
    };
    if (!world_.crowd().wait_for(online, back_within))
      return tally_.violation(what + ": not everybody is back");
    if (!world_.wait_for_tick(healed, seconds(30))) return tally_.violation(what + ": nobody is ticked");
    back_max_ns_ = std::max(back_max_ns_, now_ns() - healed);
  }
  // Everybody finds out that the connection is dead.
  void must_be_seen(const std::string& what) {
    const int64_t begun = now_ns();
    // Offline once is enough: a new connection may be up at once.
    const auto first = world_.crowd().run([&] {
      std::vector<int> all;
      for (const auto* device : world_.devices()) all.push_back(device->downs());
      return all;
    });
    const auto seen = [&] {
      for (size_t i = 0; i < first.size(); ++i) {
        if (world_.devices()[i]->downs() == first[i]) return false;
      }
      return true;
    };
    if (!world_.crowd().wait_for(seen, dead_peer_seen + tolerance))
      tally_.violation(fmt::format("{}: not everybody saw it within {} s", what, dead_peer_seen.count()));
    seen_max_ns_ = std::max(seen_max_ns_, now_ns() - begun);
  }

  // No reason to give a connection up.
  base::Status stalls(int count) {
    for (int i = 0; i < count; ++i) {
      const int before = downs();
      if (auto lost = network_.lose(""); !lost.ok()) return lost;
      std::this_thread::sleep_for(seconds(2));
      if (auto healed = network_.heal(); !healed.ok()) return healed;
      const int64_t healed = now_ns();
      if (!world_.wait_for_tick(healed, seconds(15))) tally_.violation("a stall: nobody is ticked after it");
      std::this_thread::sleep_for(seconds(1));
      if (downs() != before) tally_.violation("a stall of 2 s cost somebody the connection");
      tally_.judged();
    }
    return {};
  }

  base::Status loss(base::nanoseconds time) {
    if (auto lost = network_.lose("", 20); !lost.ok()) return lost;
    const int64_t begun = now_ns();
    std::this_thread::sleep_for(time);
    if (world_.last_tick_ns() <= begun) tally_.violation("with 20 % loss nobody is ticked");
    if (auto healed = network_.heal(); !healed.ok()) return healed;
    must_be_back("loss");
    tally_.judged();
    return {};
  }

  // Half of the packets are lost for a moment, so that frames stand torn in the buffers; then the connection
  // is reset.
  base::Status cuts(int count) {
    for (int i = 0; i < count; ++i) {
      std::this_thread::sleep_for(random_.duration(milliseconds(400)));
      if (auto lost = network_.lose("", 50); !lost.ok()) return lost;
      std::this_thread::sleep_for(milliseconds(20) + random_.duration(milliseconds(200)));
      auto ports = network_.connected_to(world_.server().port());
      if (!ports.ok()) return base::fail(ports.error());
      const std::string end = random_.chance(500) ? "sport" : "dport";
      const std::string of_server = fmt::format("{} = {}", end, world_.server().port());
      // One of them, or all.
      const std::string of_client =
          ports->empty() || random_.chance(300)
              ? ""
              : fmt::format(" and {} = {}", end == "sport" ? "dport" : "sport",
                            (*ports)[static_cast<size_t>(random_.below(ports->size()))]);
      const int before = downs();
      if (auto heal = network_.heal(); !heal.ok()) return heal;
      if (auto reset = network_.reset(of_server + of_client); !reset.ok()) return reset;
      const bool hit = world_.crowd().wait_for(
          [&] {
            int all = 0;
            for (const auto* device : world_.devices()) all += device->downs();
            return all > before;
          },
          seconds(15));
      must_be_back("a cut");
      hit ? tally_.judged() : tally_.no_hit();
    }
    return {};
  }

  // One end forgets its connections while the other hears nothing; then packets flow again.
  base::Status one_end_gone(const char* end) {
    if (auto lost = network_.lose(""); !lost.ok()) return lost;
    if (auto reset = network_.reset(fmt::format("{} = {}", end, world_.server().port())); !reset.ok())
      return reset;
    std::this_thread::sleep_for(seconds(3));
    if (auto healed = network_.heal(); !healed.ok()) return healed;
    must_be_back(std::string("the end of ") + end);
    tally_.judged();
    return {};
  }

  // As behind a box that has forgotten them: these connections lose everything, new ones work.
  base::Status silent_connections() {
    auto ports = network_.connected_to(world_.server().port());
    if (!ports.ok()) return base::fail(ports.error());
    std::string list;
    for (const auto port : *ports) list += fmt::format("{}{}", list.empty() ? "" : ", ", port);
    for (const char* direction : {"sport", "dport"}) {
      if (auto lost = network_.lose(fmt::format("tcp {} {{ {} }}", direction, list)); !lost.ok()) return lost;
    }
    must_be_seen("dead connections");
    must_be_back("dead connections");
    if (auto healed = network_.heal(); !healed.ok()) return healed;
    tally_.judged();
    return {};
  }

  base::Status one_way(const std::string& direction) {
    if (auto lost = network_.lose(direction); !lost.ok()) return lost;
    must_be_seen("one way is gone: " + direction);
    if (auto healed = network_.heal(); !healed.ok()) return healed;
    must_be_back("one way was gone: " + direction);
    tally_.judged();
    return {};
  }

  PrivateNetwork& network_;
  const std::string amount_;
  sim::Prng random_;
  World world_;
  std::string up_, down_;
  Tally tally_;
  int64_t seen_max_ns_ = 0, back_max_ns_ = 0;
};

}  // namespace

int run_net(const Options& options, const std::string& amount) {
  Tally none;
  auto network = PrivateNetwork::enter(packet_bytes_max);
  if (!network.ok()) {
    none.skip("net", network.error().sentence);
    if (options.json) fmt::print("{{\"cases\":0,\"violations\":0,\"skipped\":[\"net\"]}}\n");
    return 0;
  }
  NetRun run(options, *network, amount);
  if (auto done = run.run(); !done.ok()) return failed(run.scratch(), done.error().sentence);
  const auto& tally = run.tally();
  if (options.json) {
    fmt::print(
        "{{\"cases\":{},\"violations\":{},\"lost\":{},\"void\":{},\"dead_peer_seen_max_s\":{:.1f},"
        "\"back_max_ms\":{:.0f},\"skipped\":[]}}\n",
        tally.cases(), tally.violations(), tally.lost(), tally.voids(), run.seen_max_s(), run.back_max_ms());
  } else {
    fmt::print(
        "{} cases, {} violations; dead peers seen after at most {:.1f} s, everybody back after at most "
        "{:.0f} ms\n",
        tally.cases(), tally.violations(), run.seen_max_s(), run.back_max_ms());
  }
  return tally.violations() ? 1 : 0;
}

}  // namespace tidings::faults
