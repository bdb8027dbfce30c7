#include "test/sim/simulation.h"

#include <algorithm>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "base/hash.h"

namespace tidings::sim {
namespace {

using base::milliseconds;
using base::seconds;

constexpr auto patience = std::chrono::minutes(15);

}  // namespace

Simulation::Simulation(uint64_t seed)
    : plan_(seed),
      random_(plan_.random.fork()),
      scheduler_(plan_.random.next()),
      network_(scheduler_, plan_.random.fork()),
      server_(scheduler_, &network_, plan_, plan_.random.fork()) {
  network_.weather.latency_max = plan_.latency_max;
  server_.on_death = [this](const std::string& why) {
    note("the server died: " + why);
    ++deaths_;
    restart_server(random_.duration(seconds(2)));
  };
  server_.on_gateway_death = [this](size_t index) {
    note(fmt::format("gateway {} died", index + 1));
    ++deaths_;
    restart_gateway(index, random_.duration(seconds(2)));
  };
}

Simulation::~Simulation() {
  callers_.clear();
  fresh_.clear();
  devices_.clear();
}

Outcome Simulation::run() {
  note(plan_.in_words());
  add_people();
  server_.start();
  for (auto& device : devices_) {
    scheduler_.after(random_.duration(seconds(1)), [&device] { device->start(); });
  }
  schedule_talk();
  schedule_people();
  if (!plan_.faults.empty()) schedule_fault();
  if (plan_.copies_back) {
    const auto copied = random_.duration(plan_.active / 2);
    scheduler_.after(copied, [this] { copy_aside(); });
    scheduler_.after(copied + random_.duration(plan_.active / 2), [this] { copy_back(); });
  }
  for (size_t i = 0; i < plan_.late_writes; ++i) {
    scheduler_.after(seconds(2) + random_.duration(plan_.active), [this] {
      if (!healing_) write_late();
    });
  }
  for (int i = 0; i < 3; ++i) {
    scheduler_.after(random_.duration(plan_.active),
                     [this] { checkpoints_.push_back(server_.store_snapshot()); });
  }
  scheduler_.run_for(plan_.active);
  if (plan_.loses_core) lose_core();
  if (plan_.calm) {
    calm();
    settle("without a restart");
  }
  heal();
  // Until everybody has found out which connections are dead: a ping and its time-out.
  scheduler_.run_for(seconds(60));
  settle("after everything was healed");
  add_fresh_devices();
  settle("with fresh devices");
  // Receipts are told once an interval.
  scheduler_.run_for(seconds(3));
  for (auto& device : fresh_) device->give_copies(true);
  for (auto& device : devices_) device->give_copies(false);
  check_folds();

  Outcome outcome;
  outcome.verdict = checker::check(history_);
  outcome.hash = history_.hash();
  outcome.tasks = scheduler_.tasks_run();
  outcome.sessions = server_.sessions();
  outcome.owed = history_.owed().size();
  outcome.happened = std::move(happened_);
  outcome.summary =
      fmt::format("{} people, {} devices, {} texts, {} ticks, {} records, {} tasks, {} deaths, {:.1f} s",
                  plan_.people.size(), devices_.size(), texts_, outcome.verdict.acked,
                  history_.records().size(), outcome.tasks, deaths_, static_cast<double>(now_ns()) / 1e9);
  return outcome;
}

void Simulation::trace_frames() {
  network_.trace = [this](const std::string& from, const std::string& to, std::string_view frame) {
    note(fmt::format("{} -> {}: {}", from, to, frame.substr(0, 3000)));
  };
}

// --- people

void Simulation::add_people() {
  for (size_t i = 0; i < plan_.crowd.size(); ++i) {
    const auto name = fmt::format("crowd{}", i);
    (void)server_.accounts().add_account({plan_.crowd[i], name, name, ""});
  }
  for (const auto& person : plan_.people) {
    (void)server_.accounts().add_account({person.user, person.name + "_handle", person.name, ""});
    for (size_t i = 0; i < person.devices; ++i) {
      devices_.push_back(nullptr);
      add_device(person, i ? "laptop" : "phone", i + 1)
          .clock.jump(milliseconds(static_cast<int64_t>(random_.below(400))));
    }
    if (!person.calls_rest) continue;
    callers_.push_back(std::make_unique<Caller>(Caller::Parts{scheduler_,
                                                              server_,
                                                              history_,
                                                              person.name + "'s script",
                                                              {person.user, {person.user.value ^ 77}}},
                                                random_.fork()));
    caller_users_.push_back(person.user);
  }
}

std::string Simulation::add_log_in(model::UserId user, model::DeviceId device) {
  const std::string token = fmt::format("token-{}-{}", user.value, device.value);
  (void)server_.accounts().add_device({device, user, "simulated", base::sha256(token), base::epoch,
                                       base::epoch + std::chrono::hours(24 * 365 * 200)});
  return token;
}

Device& Simulation::add_device(const Plan::Person& person, const std::string& what, size_t number) {
  const auto token = add_log_in(person.user, {person.user.value ^ number});
  devices_.back() = std::make_unique<Device>(
      Device::Parts{scheduler_, network_, history_, person.name + "'s " + what, person.user, token,
                    server_.clock.wall(), [this](const std::string& what) { note(what); },
                    plan_.reads_per_mille},
      random_.fork());
  return *devices_.back();
}

// Each text is unique, so that the checker can tell whose it is.
std::string Simulation::text_of(const std::string& name) {
  auto text = fmt::format("{} {}", name, ++texts_);
  if (random_.chance(100)) text.append(random_.below(3000), 'x');
  return text;
}

void Simulation::schedule_talk() {
  while (texts_ < plan_.messages) {
    const bool burst = random_.chance(plan_.burst_per_mille);
    const auto count = burst ? random_.between(5, 40) : 1;
    const bool by_script = !callers_.empty() && random_.chance(250);
    const auto who = random_.below(by_script ? callers_.size() : devices_.size());
    const auto user = by_script ? caller_users_[who] : devices_[who]->user();
    // Some talk more than others; nobody talks to himself.
    auto to =
        plan_.people[std::min(random_.below(plan_.people.size()), random_.below(plan_.people.size()))].user;
    if (to == user) to = plan_.people[plan_.people[0].user == user ? 1 : 0].user;
    std::vector<std::string> texts;
    for (uint64_t i = 0; i < count; ++i) {
      texts.push_back(text_of(by_script ? "script" : devices_[who]->name()));
    }
    const bool in_group = random_.chance(plan_.in_groups_per_mille);
    scheduler_.after(random_.duration(plan_.active),
                     [this, by_script, in_group, who, to, texts = std::move(texts)] {
                       if (!by_script && in_group) return devices_[who]->say_in_group(texts);
                       if (!by_script) return devices_[who]->say(to, texts);
                       for (const auto& text : texts) callers_[who]->say(to, text);
                     });
  }
  if (callers_.empty()) return;
  for (uint64_t i = 0; i < plan_.messages / 4; ++i) {
    scheduler_.after(random_.duration(plan_.active), [this, who = random_.below(callers_.size())] {
      random_.chance(500) ? callers_[who]->repeat() : callers_[who]->read();
    });
  }
}

model::UserId Simulation::somebody() {
  if (!plan_.crowd.empty() && random_.chance(100)) return plan_.crowd[random_.below(plan_.crowd.size())];
  return plan_.people[random_.below(plan_.people.size())].user;
}

// Groups, blocks, marks.
void Simulation::schedule_people() {
  const auto some_device = [this] { return devices_[random_.below(devices_.size())].get(); };
  const auto create = [this](Device* device) {
    std::vector<model::UserId> members;
    for (const auto& person : plan_.people) {
      if (person.user != device->user() && random_.chance(650)) members.push_back(person.user);
    }
    if (random_.chance(600)) members.insert(members.end(), plan_.crowd.begin(), plan_.crowd.end());
    note(device->name() + " makes a group");
    device->create_group(fmt::format("group {}", random_.below(1000)), std::move(members),
                         random_.chance(300) ? model::History::all : model::History::joining);
  };
  for (size_t i = 0; i < plan_.groups; ++i) {
    scheduler_.after(seconds(1) + random_.duration(plan_.active / 5),
                     [create, device = some_device()] { create(device); });
  }
  for (size_t i = 0; i < plan_.changes; ++i) {
    scheduler_.after(seconds(2) + random_.duration(plan_.active), [this, create, some_device] {
      if (healing_) return;
      Device* device = some_device();
      if (random_.chance(150) || plan_.groups == 0) return device->block(somebody(), random_.chance(500));
      if (random_.chance(60)) return create(device);
      using Change = Device::Change;
      constexpr std::array<Change, 10> changes{Change::rename, Change::add,    Change::add,  Change::add,
                                               Change::remove, Change::remove, Change::role, Change::role,
                                               Change::leave,  Change::rename};
      device->change_group(changes[random_.below(changes.size())], somebody(),
                           fmt::format("title {}", random_.below(1000)));
    });
  }
  if (plan_.dance) {
    const auto who = plan_.people[random_.below(plan_.people.size())].user;
    for (uint64_t i = 0; i < 60; ++i) {
      scheduler_.after(seconds(2) + random_.duration(plan_.active), [this, some_device, who] {
        if (healing_) return;
        some_device()->change_group(random_.chance(400) ? Device::Change::remove : Device::Change::add, who,
                                    "");
      });
    }
  }
  if (plan_.reads_per_mille == 0) return;
  for (uint64_t i = 0; i < plan_.messages / 6; ++i) {
    scheduler_.after(random_.duration(plan_.active), [this, some_device] {
      if (!healing_) some_device()->read_something();
    });
  }
}

// --- faults

void Simulation::note(const std::string& what) {
  happened_.push_back(fmt::format("{:.6f} s {}", static_cast<double>(now_ns()) / 1e9, what));
}

void Simulation::schedule_fault() {
  scheduler_.after(random_.duration(plan_.fault_pause * 2), [this] {
    if (healing_) return;
    happen(plan_.faults[random_.below(plan_.faults.size())]);
    schedule_fault();
  });
}

void Simulation::happen(Fault fault) {
  switch (fault) {
    case Fault::kill:
    case Fault::power_cut:
      if (!server_.running()) return;
      if (random_.chance(100)) {
        note("the server is stopped");
        server_.stop();
      } else if (fault == Fault::kill) {
        note("kill -9");
        server_.kill();
      } else {
        note("power cut");
        server_.power_cut();
      }
      ++deaths_;
      return restart_server(random_.duration(seconds(3)));
    case Fault::crash_at_step: {
      // From the very next step to some seconds away, all orders of magnitude alike.
      const auto steps = random_.between(1, uint64_t{2} << random_.below(12));
      const bool power = random_.chance(500);
      if (random_.chance(300)) {
        const auto syncs = random_.between(1, 30);
        note(fmt::format("crash in sync {} from now{}", syncs, power ? ", with a power cut" : ""));
        return server_.crash_in_sync(syncs, power);
      }
      note(fmt::format("crash in {} steps{}", steps, power ? ", with a power cut" : ""));
      return server_.crash_in(steps, power);
    }
    case Fault::failing_sync:
      note("the next sync fails");
      return server_.fail_next_sync();
    case Fault::cut:
      return network_.cut_one();
    case Fault::cut_all:
      note("all connections break");
      return network_.cut_all();
    case Fault::half_cut:
      note("one connection breaks for its client");
      return network_.cut_half(random_.duration(seconds(40)));
    case Fault::client_restart:
      return restart_device(*devices_[random_.below(devices_.size())]);
    case Fault::server_clock:
      return bend(server_.clock, "the server's");
    case Fault::client_clock: {
      auto& device = *devices_[random_.below(devices_.size())];
      return bend(device.clock, device.name() + "'s");
    }
    case Fault::weather:
      return change_weather();
    case Fault::hold: {
      const auto duration = milliseconds(static_cast<int64_t>(random_.between(10'100, 13'000)));
      note("what one client is told comes late");
      return network_.hold_one(duration);
    }
    case Fault::lost_welcome:
      note("one connection breaks, and the next welcome is lost");
      return network_.lose_next_welcome();
    case Fault::kill_gateway:
    case Fault::stall_link:
    case Fault::break_link:
      return happen_to_gateway(fault);
    case Fault::copy_back:
      return;
  }
}

void Simulation::happen_to_gateway(Fault fault) {
  const auto index = random_.below(server_.gateways().size());
  auto& gateway = *server_.gateways()[index];
  if (!gateway.running()) return;
  const auto number = index + 1;
  if (fault == Fault::break_link) {
    note(fmt::format("a link of gateway {} breaks", number));
    return server_.links().break_one(gateway.process());
  }
  if (fault == Fault::stall_link) {
    // Seldom so long that clients repeat themselves, never so long that what waits cannot be accepted any
    // more.
    const auto duration = random_.chance(150) ? seconds(5) + random_.duration(seconds(20))
                                              : milliseconds(5) + random_.duration(seconds(3));
    const auto way = static_cast<Links::Way>(random_.below(3));
    note(fmt::format("links of gateway {} are behind by {} ms", number, duration.count() / 1'000'000));
    return server_.links().stall(gateway.process(), way, duration, random_.chance(500) ? 1000 : 400);
  }
  if (random_.chance(300)) {
    const auto steps = random_.between(1, uint64_t{2} << random_.below(10));
    note(fmt::format("gateway {} crashes in {} steps", number, steps));
    return gateway.crash_in(steps);
  }
  ++deaths_;
  if (random_.chance(150)) {
    note(fmt::format("gateway {} is stopped", number));
    gateway.stop();
  } else {
    note(fmt::format("kill -9 of gateway {}", number));
    gateway.kill();
  }
  restart_gateway(index, random_.duration(seconds(3)));
}

void Simulation::restart_gateway(size_t index, nanoseconds pause) {
  scheduler_.after(pause, [this, index] { server_.gateways()[index]->start(); });
}

// Somebody is blocked for a while, in which his repeat is refused; what he wrote first comes after that, and
// is accepted.
void Simulation::write_late() {
  auto& device = *devices_[random_.below(devices_.size())];
  auto& other = *devices_[random_.below(devices_.size())];
  const auto duration = milliseconds(static_cast<int64_t>(random_.between(1'000, 4'500)));
  if (!device.running()) return;
  if (server_.gateways().size() > 1 && random_.chance(800)) {
    auto* const gateway = gateway_of(device);
    return gateway ? write_late_at(*gateway, device) : void();
  }
  note(fmt::format("what {} writes comes {} ms late", device.name(), duration.count()));
  network_.late(*device.process(), duration);
  if (other.user() == device.user()) return;
  device.say(other.user(), {text_of(device.name())});
  scheduler_.after(random_.duration(duration / 8), [&device, &other] { other.block(device.user(), true); });
  scheduler_.after(duration / 2 + random_.duration(duration / 2),
                   [&device, &other] { other.block(device.user(), false); });
}

GatewayProcess* Simulation::gateway_of(const Device& device) {
  if (!device.running()) return nullptr;
  const auto* const process = network_.server_of(*device.process());
  for (auto& gateway : server_.gateways()) {
    if (process && gateway->running() && &gateway->process() == process) return gateway.get();
  }
  return nullptr;
}

// The same, but what he wrote first waits in the link of a gateway that is behind, while he is on another
// one.
void Simulation::write_late_at(GatewayProcess& gateway, Device& device) {
  std::vector<Device*> others;
  for (auto& other : devices_) {
    auto* const theirs = gateway_of(*other);
    if (theirs && theirs != &gateway && other->user() != device.user()) others.push_back(other.get());
  }
  if (others.empty()) return;
  auto& other = *others[random_.below(others.size())];
  const auto duration = seconds(2) + random_.duration(seconds(6));
  note(fmt::format("what {} writes waits {} ms at its gateway", device.name(), duration.count() / 1'000'000));
  server_.links().stall(gateway.process(), Links::Way::up, duration);
  device.say(other.user(), {text_of(device.name())});
  network_.leave(*device.process(), 2 * plan_.latency_max + random_.duration(milliseconds(50)));
  scheduler_.after(random_.duration(milliseconds(300)),
                   [&device, &other] { other.block(device.user(), true); });
  scheduler_.after(duration / 2 + random_.duration(duration / 2),
                   [&device, &other] { other.block(device.user(), false); });
}

// --- the core dies with much under way

bool Simulation::spread_devices() {
  std::map<GatewayProcess*, std::vector<Device*>> at;
  for (auto& device : devices_) {
    if (auto* gateway = gateway_of(*device); gateway && device->online()) at[gateway].push_back(device.get());
  }
  if (at.size() == server_.gateways().size()) return true;
  for (auto& [gateway, devices] : at) {
    if (devices.size() > 1) network_.leave(*devices.front()->process(), nanoseconds(1));
  }
  return false;
}

int64_t Simulation::requests_under_way() {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (auto& gateway : server_.gateways()) least = std::min(least, gateway->requests_under_way());
  return least;
}

// Nothing else goes wrong meanwhile: who had a send under way is answered 5 s after the core is back. Who
// lost the gateway, too, finds one when its back-off says so.
void Simulation::lose_core() {
  constexpr int64_t requests = 32;
  constexpr auto answered_after = seconds(5);
  constexpr milliseconds back_off_max = seconds(25);
  calm();
  settle("with the faults over");
  // Slow connections have no 5 s for all of it.
  for (auto& device : devices_) {
    if (device->running()) network_.leave(*device->process(), nanoseconds(1));
  }
  // Who is refused for good is told so only when no older attempt can be accepted any more, which takes
  // longer.
  for (auto& device : devices_) {
    for (const auto& person : plan_.people) {
      if (person.user != device->user()) device->block(person.user, false);
    }
  }
  settle("before the core is lost");
  for (int i = 0; i < 30 && !spread_devices(); ++i) scheduler_.run_for(seconds(2));
  const auto way = random_.chance(500) ? Links::Way::up : Links::Way::down;
  for (auto& gateway : server_.gateways()) server_.links().stall(gateway->process(), way, seconds(5));
  for (auto& device : devices_) {
    const auto& to = plan_.people[plan_.people[0].user == device->user() ? 1 : 0].user;
    std::vector<std::string> texts;
    for (int64_t i = 0; i < requests; ++i) texts.push_back(fmt::format("{} {}", device->name(), ++texts_));
    device->say(to, std::move(texts));
  }
  const bool enough = scheduler_.run_until([&] { return requests_under_way() >= requests; }, seconds(4));
  struct Owed {
    Device* device;
    std::vector<model::ClientId> sends;
    GatewayProcess* gateway;
  };
  std::vector<Owed> owed;
  for (auto& device : devices_) owed.push_back({device.get(), device->unanswered(), gateway_of(*device)});
  note(fmt::format("the core dies with {} requests under way at each gateway", requests_under_way()));
  server_.kill();
  server_.links().end_stalls();
  ++deaths_;
  const GatewayProcess* dead = nullptr;
  if (random_.chance(500)) {
    const auto index = random_.below(server_.gateways().size());
    note(fmt::format("and so does gateway {}", index + 1));
    dead = server_.gateways()[index].get();
    server_.gateways()[index]->kill();
    ++deaths_;
  }
  scheduler_.run_for(milliseconds(50) + random_.duration(seconds(1)));
  server_.start();
  const auto ready = [&] {
    return server_.ready() &&
           std::ranges::all_of(server_.gateways(), [](const auto& g) { return g->ready(); });
  };
  scheduler_.run_until(ready, seconds(30));
  note("it is back");
  if (!enough) return;
  const auto owe = [&](const Owed& one) {
    one.device->owe(one.sends, now_ns() + base::nanoseconds(answered_after).count());
  };
  for (const auto& one : owed) {
    if (one.gateway != dead) owe(one);
  }
  std::erase_if(owed, [&](const auto& one) { return one.gateway != dead; });
  for (auto left = back_off_max; left.count() > 0 && !owed.empty(); left -= milliseconds(100)) {
    std::erase_if(owed, [&](const auto& one) {
      const bool there = one.device->welcomed();
      if (there) owe(one);
      return there;
    });
    scheduler_.run_for(milliseconds(100));
  }
  for (const auto& one : owed) owe(one);
  scheduler_.run_for(answered_after + seconds(1));
}

void Simulation::bend(SimClock& clock, const std::string& whose) {
  note(whose + " clock goes wrong");
  const auto hour = std::chrono::hours(1);
  switch (random_.below(6)) {
    case 0:
      return clock.jump(milliseconds(static_cast<int64_t>(random_.below(1000)) - 500));
    case 1:
      return clock.jump(hour);
    case 2:
      return clock.jump(-hour);
    case 3:
      return clock.jump(hour * 24 * 365 * 3);
    case 4:
      return clock.freeze();
    default:
      return clock.repair();
  }
}

void Simulation::change_weather() {
  note("bad weather");
  network_.weather.slow_per_mille = random_.below(400);
  network_.weather.cut_early_per_mille = random_.chance(500) ? random_.below(500) : 0;
  network_.weather.lost_welcome_per_mille = random_.below(400);
  network_.weather.cut_per_mille = random_.below(500);
  network_.cut_one();
}

void Simulation::restart_device(Device& device) {
  if (!device.running()) return;
  note(device.name() + " restarts");
  const auto again = [this, &device] {
    scheduler_.after(random_.duration(seconds(4)), [&device] { device.start(); });
  };
  if (random_.chance(500)) return device.crash_in(random_.between(1, 40), again);
  device.kill();
  again();
}

void Simulation::restart_server(nanoseconds pause) {
  scheduler_.after(pause, [this] {
    server_.start();
    // A start is when crashes hurt most.
    const bool may_crash = !healing_ && std::find(plan_.faults.begin(), plan_.faults.end(),
                                                  Fault::crash_at_step) != plan_.faults.end();
    if (may_crash && random_.chance(300)) {
      const auto steps = random_.between(1, 300);
      note(fmt::format("and it crashes at step {} of its start", steps));
      server_.crash_in(steps, random_.chance(500));
    }
  });
}

void Simulation::copy_aside() {
  note("the data directory is copied aside");
  server_.kill();
  aside_ = std::make_unique<Server::Copy>(server_.copy());
  history_.copy_aside(now_ns(), 1);
  restart_server(milliseconds(10));
}

void Simulation::copy_back() {
  if (healing_) return;
  note("the data directory is copied back");
  server_.kill();
  network_.cut_all();
  server_.restore(*aside_);
  history_.restore(now_ns(), 1);
  checkpoints_.clear();
  restart_server(milliseconds(10));
}

// --- the end

// No fault happens any more. What goes wrong in the sessions that there are is not made good by new ones.
void Simulation::calm() {
  healing_ = true;
  note("the faults end");
  network_.weather = {};
  network_.weather.latency_max = milliseconds(2);
  server_.crash_in(0, false);
  server_.crash_in_sync(0, false);
  for (auto& gateway : server_.gateways()) gateway->crash_in(0);
  server_.links().end_stalls();
  // One that was being stopped when it should have been started.
  restart_server(seconds(12));
  for (auto& device : devices_) {
    device->crash_in(0, nullptr);
    device->stop_reading();
    scheduler_.after(random_.duration(seconds(5)), [&device] { device->start(); });
  }
}

void Simulation::heal() {
  calm();
  note("everything is healed");
  for (auto& gateway : server_.gateways()) {
    if (random_.chance(500)) gateway->stop();
  }
  if (server_.running()) server_.stop();
  restart_server(seconds(5));
}

void Simulation::settle(const std::string& when) {
  const auto tries = patience / seconds(1);
  for (int i = 0; i < tries; ++i) {
    scheduler_.run_for(seconds(1));
    if (settled()) return;
    if (i % 60 == 59) note(fmt::format("not settled: {}; {}", unsettled(), server_.figures()));
  }
  history_.stuck(fmt::format("{}, {} in {} minutes", unsettled(), when, patience.count()));
}

std::string Simulation::unsettled() const {
  if (!server_.ready()) return "the server is not ready: " + server_.last_words();
  if (!server_.quiet()) return "the server has not folded its log";
  for (const auto& caller : callers_) {
    if (!caller->idle()) return caller->waiting_for();
  }
  std::map<model::ConversationId, model::Seq> heads;
  std::map<model::UserId, model::Seq> own_logs;
  for (const auto* group : {&devices_, &fresh_}) {
    for (const auto& device : *group) {
      if (!device->online()) return device->name() + " is not online";
      if (device->outbox_size())
        return fmt::format("{} has {} messages without an answer", device->name(), device->outbox_size());
      if (device->command_count())
        return fmt::format("{} has {} commands without an answer", device->name(), device->command_count());
      auto& own_log = own_logs[device->user()];
      own_log = std::max(own_log, device->own_log());
      for (const auto& view : device->conversations()) {
        auto& head = heads[view.conversation];
        head = std::max({head, view.have.seq, view.head});
      }
    }
  }
  for (const auto* group : {&devices_, &fresh_}) {
    for (const auto& device : *group) {
      if (device->own_log() != own_logs[device->user()])
        return device->name() + " stays behind in the own log";
      for (const auto& view : device->conversations()) {
        const auto head = view.left ? view.head : heads[view.conversation];
        if (view.have.seq == head) continue;
        return fmt::format("{} stays at seq {} of {}, whose head is {}", device->name(), view.have.seq.value,
                           model::to_text(view.conversation), head.value);
      }
      if (auto misses = device->mark_that_misses(); !misses.empty()) return misses;
    }
  }
  return {};
}

bool Simulation::settled() const {
  return unsettled().empty();
}

void Simulation::add_fresh_devices() {
  for (const auto& person : plan_.people) {
    // Their log-ins come with a restart of the server: it reads the table of tokens once.
    fresh_.push_back(std::make_unique<Device>(
        Device::Parts{scheduler_, network_, history_, person.name + "'s fresh device", person.user,
                      add_log_in(person.user, {person.user.value ^ 99}), server_.clock.wall(),
                      [this](const std::string& what) { note(what); }},
        random_.fork()));
  }
  note("a last restart");
  server_.stop();
  scheduler_.run_for(seconds(5));
  server_.start();
  for (auto& device : fresh_) device->start();
  for (size_t i = 0; i < callers_.size(); ++i) {
    for (const auto& person : plan_.people) {
      if (person.user == caller_users_[i]) continue;
      scheduler_.after(seconds(3),
                       [this, i, conversation = model::direct_conversation(person.user, caller_users_[i])] {
                         callers_[i]->read_all(conversation, random_.between(1, 30));
                       });
    }
  }
}

// The fold is a function of the log: whoever begins at whatever checkpoint comes to the same end.
void Simulation::check_folds() {
  if (!server_.quiet()) return;
  history_.fold_hash("the server in the end", server_.fold_hash());
  for (auto& gateway : server_.gateways()) gateway->kill();
  server_.stop();
  scheduler_.run_for(seconds(5));
  auto copy = server_.untrimmed_copy();
  const memory::MemoryStore nothing;
  checkpoints_.push_back(nothing.snapshot());
  checkpoints_.push_back(copy.store);
  for (size_t i = 0; i < checkpoints_.size(); ++i) {
    copy.store = checkpoints_[i];
    Server replay(scheduler_, nullptr, plan_, random_.fork());
    replay.clock.jump(std::chrono::duration_cast<milliseconds>(server_.clock.wall() - replay.clock.wall()));
    replay.restore(copy);
    replay.start();
    // A narrow server with a slow disk takes its time for all that there ever was.
    const auto tries_max = patience / milliseconds(500);
    for (int tries = 0; tries < tries_max && !replay.quiet(); ++tries) scheduler_.run_for(milliseconds(500));
    if (replay.quiet()) {
      history_.fold_hash(fmt::format("a replay from checkpoint {}", i + 1), replay.fold_hash());
    } else {
      history_.stuck(fmt::format("a replay from checkpoint {} does not come to its end: {}", i + 1,
                                 replay.last_words()));
    }
  }
}

}  // namespace tidings::sim
