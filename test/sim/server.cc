#include "test/sim/server.h"

#include <fmt/format.h>

#include "engine/embedded/embedded_log.h"
#include "server/core_door.h"

namespace tidings::sim {
namespace {

constexpr size_t shard_count = 2;
const base::WallTime start_of_time = base::epoch + std::chrono::hours(24 * 300);

}  // namespace

struct Server::Run {
  explicit Run(Process& p)
      : process(p),
        main(p.make_executor()),
        log_thread(p.make_executor()),
        store_thread(p.make_executor()),
        readers(p.make_executor(3)),
        sql(p.make_executor()),
        hashing(p.make_executor(2)) {
    for (size_t i = 0; i < shard_count; ++i) shards.push_back(&p.make_executor());
  }

  Process& process;
  SimExecutor& main;
  SimExecutor& log_thread;
  SimExecutor& store_thread;
  SimExecutor& readers;
  SimExecutor& sql;
  SimExecutor& hashing;
  std::vector<SimExecutor*> shards;
  base::Registry metrics;
  std::unique_ptr<embedded::EmbeddedLog> log;
  std::unique_ptr<account::LocalService> accounts;
  std::unique_ptr<server::Node> node;  // or, with gateway processes:
  std::unique_ptr<server::CoreNode> core;
  std::unique_ptr<server::CoreDoor> door;
  std::vector<model::Lineage> lineages;  // until there is a door
  bool ready = false;

  bool quiet() const { return node ? node->quiet() : core->quiet(); }
};

Server::Server(Scheduler& scheduler, Network* network, const Plan& plan, Prng random)
    : clock(scheduler, start_of_time),
      scheduler_(scheduler),
      network_(network),
      plan_(plan),
      random_(random.fork()),
      faults_(random.fork()),
      store_([this](std::string_view) { device_called(plan_.store_call_max); }),
      accounts_([this](std::string_view) { device_called(std::chrono::microseconds(200)); }),
      links_(scheduler, random.fork()) {
  for (size_t i = 0; network_ && i < plan.gateways; ++i) {
    gateways_.push_back(std::make_unique<GatewayProcess>(
        GatewayProcess::Parts{scheduler, *network_, links_, plan, clock, random_, i + 1,
                              [this](base::Registry& metrics) { add_up(metrics, sessions_); },
                              [this, i] {
                                if (on_gateway_death) on_gateway_death(i);
                              }}));
  }
  disk_.on_call = [this](const memory::DiskCall& call) {
    if (call.kind == memory::DiskCall::Kind::remove && call.moment == memory::DiskCall::Moment::before) {
      const auto now = disk_.snapshot();
      if (const auto file = now.files.find(std::string(call.path)); file != now.files.end())
        trimmed_.insert_or_assign(file->first, file->second);
    }
    if (call.moment == memory::DiskCall::Moment::halfway) return device_called(nanoseconds(1));
    const bool is_sync = call.kind == memory::DiskCall::Kind::sync;
    device_called(is_sync ? plan_.disk_sync_max : plan_.disk_call_max,
                  is_sync && call.moment == memory::DiskCall::Moment::before);
  };
}

Server::~Server() {
  if (run_) run_->process.kill();
  run_.reset();
}

// Every call of a device is a step and takes time, as long as a task of this machine's process makes it.
void Server::device_called(nanoseconds at_most, bool is_sync) {
  auto* const process = scheduler_.running();
  if (!process || !run_ || process != &run_->process) return;
  scheduler_.consume(faults_.duration(at_most));
  process->step();
  if (is_sync && crash_in_sync_ && --crash_in_sync_ == 0) process->crash();
}

void Server::start() {
  for (auto& gateway : gateways_) gateway->start();
  if (run_) return;
  auto& process = scheduler_.make_process(fmt::format("server {}", ++runs_));
  run_ = std::make_unique<Run>(process);
  process.on_crash([this, &process] {
    if (!run_ || &run_->process != &process) return;  // something else ended it in that moment
    if (last_words_.empty()) last_words_ = "crashed at a step";
    died(crash_takes_power_);
    if (on_death) on_death(last_words_);
  });
  last_words_.clear();
  crash_takes_power_ = false;
  crash_in_sync_ = 0;
  run_->main.post([this] { begin(*run_); });
}

void Server::begin(Run& run) {
  const auto fatal = [this, &run](const std::string& why) {
    last_words_ = why;
    run.process.crash();
  };
  auto checkpoints = store_.checkpoints();
  auto low = store_.low();
  if (!checkpoints.ok() || !low.ok()) fatal("the store cannot be read");
  model::Position known;
  for (const auto& checkpoint : *checkpoints) known = std::max(known, checkpoint.position);
  auto log = embedded::EmbeddedLog::open({.disk = disk_,
                                          .directory = "/data/log",
                                          .clock = clock,
                                          .random = random_,
                                          .executor = run.log_thread,
                                          .limits = plan_.limits,
                                          .metrics = run.metrics,
                                          .fatal = fatal,
                                          .known_below = known,
                                          .verify_from = *low,
                                          .segment_bytes = plan_.segment_bytes});
  if (!log.ok()) fatal(log.error().sentence);
  run.log = std::move(*log);
  run.accounts = std::make_unique<account::LocalService>(account::LocalService::Parts{.accounts = accounts_,
                                                                                      .clock = clock,
                                                                                      .random = random_,
                                                                                      .home = *run.shards[0],
                                                                                      .sql = run.sql,
                                                                                      .hashing = run.hashing,
                                                                                      .limits = plan_.limits,
                                                                                      .cost = {1, 8192}});
  if (auto started = run.accounts->start(); !started.ok()) fatal(started.error().sentence);
  if (!gateways_.empty()) return begin_alone(run, fatal);
  auto node = server::Node::make({.shards = {run.shards.begin(), run.shards.end()},
                                  .store_executor = run.store_thread,
                                  .readers = run.readers,
                                  .clock = clock,
                                  .random = random_,
                                  .log = *run.log,
                                  .store = store_,
                                  .accounts = *run.accounts,
                                  .limits = plan_.limits,
                                  .metrics = run.metrics,
                                  .fatal = fatal});
  if (!node.ok()) fatal(node.error().sentence);
  run.node = std::move(*node);
  run.node->start([this, &run] {
    run.ready = true;
    if (!network_) return;
    network_->listen(run.shards, [&run](size_t shard, std::unique_ptr<ports::Transport> transport) {
      run.node->gateway(shard).accept(std::move(transport));
    });
  });
}

void Server::begin_alone(Run& run, const std::function<void(const std::string&)>& fatal) {
  auto core = server::CoreNode::make({.shards = {run.shards.begin(), run.shards.end()},
                                      .store_executor = run.store_thread,
                                      .readers = run.readers,
                                      .clock = clock,
                                      .random = random_,
                                      .log = *run.log,
                                      .store = store_,
                                      .limits = plan_.limits,
                                      .metrics = run.metrics,
                                      .fatal = fatal});
  if (!core.ok()) fatal(core.error().sentence);
  run.core = std::move(*core);
  run.lineages = run.core->known_lineages();
  run.core->start([this, &run] { open_door(run); },
                  [&run](const model::Lineage& lineage) {
                    run.lineages.push_back(lineage);
                    if (run.door) run.door->on_lineage(lineage);
                  });
}

void Server::open_door(Run& run) {
  auto door = server::CoreDoor::open({.path = "core",
                                      .listen = links_.listen_on(*run.shards[0]),
                                      .shards = {run.shards.begin(), run.shards.end()},
                                      .core = *run.core,
                                      .accounts = *run.accounts,
                                      .log = *run.log,
                                      .limits = plan_.limits,
                                      .metrics = run.metrics},
                                     run.lineages);
  if (!door.ok()) return run.process.crash();
  run.door = std::move(*door);
  run.ready = true;
}

void Server::kill() {
  if (!run_) return;
  run_->process.kill();
  last_words_ = "killed";
  died(false);
}

void Server::power_cut() {
  if (!run_) return;
  run_->process.kill();
  last_words_ = "lost power";
  died(true);
}

void Server::died(bool power) {
  if (network_ && gateways_.empty()) {
    network_->refuse();
    if (power) network_->silence(run_->process);
  }
  if (power) {
    for (auto& gateway : gateways_) gateway->kill(true);
  }
  if (power) {
    disk_.power_cut(random_);
    store_.power_cut(random_);
  } else {
    disk_.crash();
  }
  add_up(run_->metrics, sessions_);
  auto& process = run_->process;
  // Its tasks may be under way, waiting for the disk that it lost.
  process.when_unwound([run = std::move(run_)]() mutable { run.reset(); });
}

void Server::stop() {
  if (!ready()) return kill();
  auto done = [this, &process = run_->process] {
    scheduler_.after(nanoseconds(0), [this, &process] {
      if (!run_ || &run_->process != &process) return;
      kill();
      last_words_ = "stopped";
    });
  };
  if (run_->core) return run_->core->flush(std::move(done));
  if (network_) network_->refuse();
  run_->node->drain(std::move(done));
}

void Server::crash_in(uint64_t steps, bool power) {
  if (!run_) return;
  crash_takes_power_ = power;
  run_->process.crash_in(steps);
}

void Server::crash_in_sync(uint64_t syncs, bool power) {
  if (!run_) return;
  crash_takes_power_ = power;
  crash_in_sync_ = syncs;
}

bool Server::ready() const {
  return run_ && run_->ready && run_->process.alive();
}
bool Server::quiet() const {
  return ready() && run_->quiet();
}
uint64_t Server::fold_hash() const {
  return run_->node ? run_->node->fold_hash() : run_->core->fold_hash();
}
void Server::add_up(base::Registry& metrics, Sessions& sums) const {
  sums.resumes += metrics.counter("tidings_gateway_resumed_total").value();
  sums.dirties += metrics.counter("tidings_gateway_dirty_total").value();
  sums.link_gaps += metrics.counter("tidings_gateway_link_gaps_total").value();
  sums.slow += metrics.counter("tidings_gateway_refused_total{code=\"slow_consumer\"}").value();
}
Server::Sessions Server::sessions() const {
  auto out = sessions_;
  if (run_) add_up(run_->metrics, out);
  for (const auto& gateway : gateways_) {
    if (auto* metrics = gateway->metrics()) add_up(*metrics, out);
  }
  return out;
}
std::string Server::figures() const {
  std::string text;
  const auto add = [&text](const base::Registry& metrics) {
    for (const auto& [name, value] : metrics.values()) {
      if (value) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
    }
  };
  if (run_) add(run_->metrics);
  for (const auto& gateway : gateways_) {
    if (const auto* metrics = gateway->metrics()) add(*metrics);
  }
  return text;
}
uint64_t Server::steps() const {
  return run_ ? run_->process.steps() : 0;
}

bool Server::on_gateway(size_t shard, std::function<void(gateway::Gateway&)> call) {
  if (!gateways_.empty())
    return gateways_[shard % gateways_.size()]->on_gateway(shard / gateways_.size(), std::move(call));
  if (!ready()) return false;
  auto& run = *run_;
  shard %= shard_count;
  run.shards[shard]->post([&run, shard, call = std::move(call)] { call(run.node->gateway(shard)); });
  return true;
}

Server::Copy Server::copy() const {
  return {disk_.snapshot(), store_.snapshot(), accounts_.snapshot(), trimmed_};
}

Server::Copy Server::untrimmed_copy() const {
  auto out = copy();
  for (const auto& [path, bytes] : trimmed_) out.disk.files.try_emplace(path, bytes);
  return out;
}

void Server::restore(const Copy& copy) {
  trimmed_ = copy.trimmed;
  disk_.restore(copy.disk);
  store_.restore(copy.store);
  accounts_.restore(copy.accounts);
}

}  // namespace tidings::sim
