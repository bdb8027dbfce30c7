#include "test/sim/gateway_process.h"

#include <fmt/format.h>

#include "server/core_connection.h"

namespace tidings::sim {
namespace {

constexpr const char* core_path = "core";

}  // namespace

// In the order in which they are built, as in server::GatewayServer.
struct GatewayProcess::Run {
  Run(Process& p, const Parts& parts) : process(p), connect(parts.links.connect_from(p)), time(parts.clock) {
    for (size_t i = 0; i < parts.plan.gateway_shards; ++i) shards.push_back(&p.make_executor());
  }

  Process& process;
  const net::Connect connect;
  std::vector<SimExecutor*> shards;
  base::Registry metrics;
  server::CoreTime time;
  server::CoreFacts facts;
  std::unique_ptr<server::ControlClient> asks;
  std::unique_ptr<server::RemoteAccounts> accounts;
  std::unique_ptr<server::GatewayNode> gateways;
  std::unique_ptr<server::CoreConnection> connection;
  bool ready = false;
};

GatewayProcess::GatewayProcess(Parts parts) : parts_(std::move(parts)) {}

GatewayProcess::~GatewayProcess() {
  if (run_) run_->process.kill();
}

void GatewayProcess::start() {
  if (run_) return;
  auto& process = parts_.scheduler.make_process(fmt::format("gateway {}, run {}", parts_.place, ++runs_));
  run_ = std::make_unique<Run>(process, parts_);
  process.on_crash([this, &process] {
    if (!run_ || &run_->process != &process) return;  // something else ended it in that moment
    kill();
    parts_.on_death();
  });
  run_->shards.front()->post([this] { begin(*run_); });
}

// What the core says of itself, as soon as there is one.
void GatewayProcess::begin(Run& run) {
  run.asks = std::make_unique<server::ControlClient>(
      server::ControlClient::Parts{*run.shards.front(), core_path, run.connect,
                                   [this, &run, told = false](server::ControlDown& frame) mutable {
                                     const auto* facts = std::get_if<server::CoreFacts>(&frame);
                                     if (!facts || std::exchange(told, true)) return;
                                     run.facts = *facts;
                                     run.shards.front()->post([this, &run] { build(run); });
                                   },
                                   [&run] { run.asks->again(); }, server::Alive{}, parts_.plan.limits});
  run.asks->start();
}

void GatewayProcess::build(Run& run) {
  run.asks.reset();
  const std::vector<base::Executor*> shards(run.shards.begin(), run.shards.end());
  run.accounts = std::make_unique<server::RemoteAccounts>(*shards[0], parts_.plan.limits);
  run.gateways = std::make_unique<server::GatewayNode>(server::GatewayNode::Parts{
      shards, run.time, parts_.random, *run.accounts, parts_.plan.limits, run.metrics, run.facts.lineage,
      run.facts.lineages, [&run](const gateway::DeviceHello& hello) { run.connection->announce(hello); }});
  run.connection = std::make_unique<server::CoreConnection>(server::CoreConnection::Parts{
      core_path, run.connect, shards, *run.gateways, *run.accounts, run.time, run.facts, parts_.plan.limits,
      [&run](const std::string&) { run.process.crash(); }});
  run.connection->start([this, &run] {
    run.ready = true;
    parts_.network.listen(
        run.shards,
        [&run](size_t shard, std::unique_ptr<ports::Transport> transport) {
          run.gateways->gateway(shard).accept(std::move(transport));
        },
        parts_.place);
  });
}

void GatewayProcess::kill(bool power) {
  if (!run_) return;
  auto& process = run_->process;
  process.kill();
  parts_.network.refuse(parts_.place);
  if (power) parts_.network.silence(process);
  parts_.on_end(run_->metrics);
  // Its tasks may be under way.
  process.when_unwound([run = std::move(run_)]() mutable { run.reset(); });
}

void GatewayProcess::crash_in(uint64_t steps) {
  if (run_) run_->process.crash_in(steps);
}

void GatewayProcess::stop() {
  if (!ready()) return kill();
  parts_.network.refuse(parts_.place);
  run_->gateways->drain([this, &process = run_->process] {
    parts_.scheduler.after(nanoseconds(0), [this, &process] {
      if (run_ && &run_->process == &process) kill();
    });
  });
}

bool GatewayProcess::ready() const {
  return run_ && run_->ready && run_->process.alive();
}

const Process& GatewayProcess::process() const {
  return run_->process;
}

base::Registry* GatewayProcess::metrics() const {
  return run_ ? &run_->metrics : nullptr;
}

int64_t GatewayProcess::requests_under_way() const {
  return run_ ? run_->metrics.gauge("tidings_gateway_requests_under_way").value() : 0;
}

bool GatewayProcess::on_gateway(size_t shard, std::function<void(gateway::Gateway&)> call) {
  if (!ready()) return false;
  auto& run = *run_;
  shard %= run.shards.size();
  run.shards[shard]->post([&run, shard, call = std::move(call)] { call(run.gateways->gateway(shard)); });
  return true;
}

}  // namespace tidings::sim
