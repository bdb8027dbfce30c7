// B7 of performance.md: one person with 2,000 conversations. A new device (full sync, one's own log, nothing
// of what was said before), and a device that returns after a fiftieth of the conversations has changed (sync
// of changes, and pulls): right after a start of the server, and again. The operating system keeps the files
// in memory, so "cold" is the server's own caches. The server runs on core 0, the load on core 1.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/real_server.h"
#include "bench/report.h"
#include "bench/talker.h"
#include "engine/embedded/system_clock.h"

namespace tidings::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int friends = 20, messages_before = 20, messages_new = 10, warm_runs = 5;
constexpr uint64_t page_events = 200;

struct Options {
  int conversations = 2000;
  bool json = false;
  std::string binary;
};

struct Known {
  model::Cursor head;
  model::ConversationKind kind = model::ConversationKind::group;
};
struct Device {
  std::string branch;
  model::Position activity;
  std::map<model::ConversationId, Known> known;
  std::optional<wire::Hello::Newest> newest;
};

struct Cost {
  double ms = 0, sync_ms = 0, server_cpu_ms = 0;
  uint64_t bytes = 0, rows = 0, pages = 0, events = 0;
};

class Bench {
 public:
  explicit Bench(Options options) : options_(std::move(options)), reactor_("load") {
    people_ = make_people(directory_.path(), friends + 1);
    reactor_.start();
    reactor_.post([] { pin(0, 1); });
  }
  ~Bench() { reactor_.stop(); }

  void start() {
    server_.reset();
    server_ = std::make_unique<ServerProcess>(options_.binary, directory_.path());
  }

  // Each friend has a hundredth part of the conversations with the person, and writes in each.
  void seed() {
    for (int f = 0; f < friends; ++f) {
      Talker talker(reactor_, server_->port(), hello(f + 1));
      std::vector<std::string> commands;
      for (int i = f; i < options_.conversations; i += friends) {
        wire::ConversationCreate create;
        create.request = commands.size() + 1;
        create.client_id = next_client_id();
        create.kind = model::ConversationKind::group;
        create.members = {people_[0].user};
        create.title = "conversation " + std::to_string(i);
        commands.push_back(wire::encode(create));
      }
      conversations_.push_back(talker.run(commands));
      say(talker, conversations_.back(), messages_before);
    }
  }
  // Some of the conversations go on.
  size_t change() {
    size_t changed = 0;
    for (int f = 0; f < friends; ++f) {
      auto some = conversations_[static_cast<size_t>(f)];
      some.resize(std::max<size_t>(some.size() / 50, 1));
      changed += some.size();
      Talker talker(reactor_, server_->port(), hello(f + 1));
      say(talker, some, messages_new);
    }
    return changed;
  }

  Cost new_device(Device& device) {
    return measure(
        [&](Talker& talker, Cost& cost) {
          device.branch = talker.welcome().branch;
          sync(talker, device, std::nullopt, cost);
          // Nothing is pulled but one's own log, which tells whom one blocks.
          for (const auto& [id, known] : device.known) {
            if (known.kind == model::ConversationKind::self) pull(talker, id, {0}, known.head.seq, cost);
          }
          if (cost.rows < static_cast<uint64_t>(options_.conversations)) give_up("conversations are missing");
        },
        hello(0));
  }
  Cost returns(Device device, size_t changed) {
    auto who = hello(0);
    who.branch = device.branch;
    who.newest = device.newest;
    return measure(
        [&](Talker& talker, Cost& cost) {
          if (talker.welcome().sync != "changes") give_up("the server wants a full sync");
          const auto before = device.known;
          sync(talker, device, device.activity, cost);
          for (const auto& [id, known] : device.known) {
            const auto old = before.find(id);
            const model::Seq have = old == before.end() ? model::Seq{} : old->second.head.seq;
            if (known.head.seq > have) pull(talker, id, have, known.head.seq, cost);
          }
          if (cost.events != changed * messages_new) give_up("other events than were said");
        },
        who);
  }
  const std::string& data() const { return directory_.path(); }
  void end() { server_.reset(); }

 private:
  wire::Hello hello(int person) const {
    wire::Hello hello;
    hello.token = people_[static_cast<size_t>(person)].token;
    hello.app = "bench";
    return hello;
  }
  model::ClientId next_client_id() { return {model::uuid_v7(clock_.wall(), 1, ++client_ids_)}; }
  void say(Talker& talker, const std::vector<model::ConversationId>& where, int times) {
    std::vector<std::string> commands;
    for (int n = 0; n < times; ++n) {
      for (const auto& id : where) {
        wire::MessageSend send;
        send.request = commands.size() + 1;
        send.conversation = id;
        send.client_id = next_client_id();
        send.message.text = std::string(100, 'x');
        commands.push_back(wire::encode(send));
      }
    }
    talker.run(commands);
  }
  template <class F>
  Cost measure(F what, const wire::Hello& who) {
    Cost cost;
    const double cpu = server_->cpu_seconds();
    const auto begun = SteadyClock::now();
    begun_ = begun;
    {
      Talker talker(reactor_, server_->port(), who);
      what(talker, cost);
      cost.ms = ms_since(begun);
      cost.bytes = talker.bytes();
    }
    cost.server_cpu_ms = (server_->cpu_seconds() - cpu) * 1000;
    return cost;
  }
  static double ms_since(SteadyClock::time_point begun) {
    return std::chrono::duration<double, std::milli>(SteadyClock::now() - begun).count();
  }
  void sync(Talker& talker, Device& device, std::optional<model::Position> activity, Cost& cost) {
    wire::SyncFrame frame;
    frame.to.bytes.fill(0xFF);
    frame.activity = activity;
    bool first = true;
    for (frame.request = 1;; ++frame.request) {
      talker.send(wire::encode(frame));
      const auto answer = talker.next<wire::SyncAnswer>();
      for (const auto& row : answer.conversations) {
        ++cost.rows;
        device.known[row.conversation] = {row.head, row.kind};
        if (!device.newest || row.head.id > device.newest->event.id)
          device.newest = wire::Hello::Newest{row.conversation, row.head};
      }
      if (first) device.activity = answer.activity;
      first = false;
      if (!answer.more) break;
      frame.from = *answer.next;
    }
    cost.sync_ms = ms_since(begun_);
  }
  void pull(Talker& talker, const model::ConversationId& id, model::Seq after, model::Seq head, Cost& cost) {
    wire::PullFrame frame;
    frame.conversation = id;
    frame.limit = page_events;
    for (frame.request = 1000; after < head; ++frame.request) {
      frame.after = after;
      talker.send(wire::encode(frame));
      const auto page = talker.next<wire::PageFrame>();
      ++cost.pages;
      cost.events += page.events.size();
      if (page.upto <= after) give_up("a page brings nothing");
      after = page.upto;
    }
  }

  const Options options_;
  const Directory directory_;
  net::Reactor reactor_;
  embedded::SystemClock clock_;
  std::vector<Person> people_;  // the person, then the friends
  std::unique_ptr<ServerProcess> server_;
  std::vector<std::vector<model::ConversationId>> conversations_;  // by friend
  uint64_t client_ids_ = 0;
  SteadyClock::time_point begun_;
};

Cost median(std::vector<Cost> costs) {
  std::ranges::sort(costs, {}, &Cost::ms);
  return costs[costs.size() / 2];
}

Object fields(std::string_view name, const Cost& c) {
  Object out;
  out.text("run", name)
      .number("ms", c.ms)
      .number("sync_ms", c.sync_ms)
      .number("server_cpu_ms", c.server_cpu_ms);
  return out.count("bytes", c.bytes).count("rows", c.rows).count("pages", c.pages).count("events", c.events);
}

int main_program(int argc, char** argv) {
  Options options;
  options.binary = (std::filesystem::canonical(argv[0]).parent_path() / "../tidings").string();
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (flag == "--quick") {
      options.conversations = 500;
    } else if (flag == "--json") {
      options.json = true;
    } else if (flag == "--conversations") {
      options.conversations = std::stoi(value());
    } else if (flag == "--binary") {
      options.binary = value();
    } else {
      give_up("unknown flag " + flag + " (there are --quick, --json, --conversations N, --binary PATH)");
    }
  }
  Bench bench(options);
  bench.start();
  bench.seed();
  bench.start();
  Device device;
  const Cost new_cold = bench.new_device(device);
  std::vector<Cost> costs;
  for (int i = 0; i < warm_runs; ++i) {
    Device other;
    costs.push_back(bench.new_device(other));
  }
  const Cost new_warm = median(costs);
  const size_t changed = bench.change();
  bench.start();
  const Cost return_cold = bench.returns(device, changed);
  costs.clear();
  for (int i = 0; i < warm_runs; ++i) costs.push_back(bench.returns(device, changed));
  const Cost return_warm = median(costs);
  bench.end();
  const double raw = store_states_read_per_second(bench.data(), static_cast<size_t>(options.conversations));
  const double rows = static_cast<double>(new_cold.rows) / new_cold.sync_ms * 1000;
  const std::vector<std::pair<const char*, Cost>> runs{{"new device, cold", new_cold},
                                                       {"new device, warm", new_warm},
                                                       {"return, cold", return_cold},
                                                       {"return, warm", return_warm}};
  if (!options.json) {
    fmt::print("{:>20} {:>9} {:>9} {:>10} {:>10} {:>7} {:>7} {:>8}\n", "", "ms", "sync ms", "server ms",
               "bytes", "rows", "pages", "events");
    for (const auto& [name, c] : runs) {
      fmt::print("{:>20} {:>9.1f} {:>9.1f} {:>10.0f} {:>10} {:>7} {:>7} {:>8}\n", name, c.ms, c.sync_ms,
                 c.server_cpu_ms, c.bytes, c.rows, c.pages, c.events);
    }
    fmt::print(
        "{}\nsync: {:.0f} rows/s to a new device of one with {} conversations, {:.3f} of the raw {:.0f}\n",
        machine(), rows, options.conversations, rows / raw, raw);
    return 0;
  }
  Object out = figure("sync", rows, "rows/s", raw);
  out.count("conversations", static_cast<uint64_t>(options.conversations)).count("changed", changed);
  std::vector<Object> list;
  for (const auto& [name, c] : runs) list.push_back(fields(name, c));
  fmt::print("{}\n", out.list("runs", list).json());
  return 0;
}

}  // namespace
}  // namespace tidings::bench

int main(int argc, char** argv) {
  return tidings::bench::main_program(argc, argv);
}
