#include "server/gateway_server.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "engine/embedded/system_clock.h"
#include "engine/embedded/system_random.h"
#include "net/unix_stream.h"
#include "server/core_connection.h"
#include "server/link_gauges.h"
#include "server/listening.h"
#include "server/operators_listening.h"
#include "server/waiting.h"

namespace tidings::server {

namespace {

constexpr auto drain_timeout = std::chrono::seconds(5);  // beyond Limits::drain_window

// What the core says of itself, as soon as there is one.
base::Result<CoreFacts> ask_core(const std::string& path, const base::Limits& limits,
                                 const std::function<bool()>& interrupted) {
  CoreFacts facts;
  net::Reactor reactor("core");
  std::unique_ptr<ControlClient> client;
  const auto told = begin([&](base::Task done) {
    client = std::make_unique<ControlClient>(ControlClient::Parts{
        reactor, path, net::connect_at(path),
        [&facts, done = std::make_shared<base::Task>(std::move(done))](ControlDown& frame) {
          const auto* first = std::get_if<CoreFacts>(&frame);
          if (!first || !*done) return;
          facts = *first;
          std::exchange(*done, base::Task())();
        },
        [&client] { client->again(); }, Alive{}, limits});
    reactor.post([&client] { client->start(); });
    reactor.start();
  });
  const bool answered = wait_until_interrupted(told, interrupted);
  reactor.stop();
  client.reset();
  if (!answered) return base::failure("stopped while waiting for the core at " + path);
  if (facts.shard_count == 0 || facts.shard_count > model::partition_count)
    return base::failure("the core at " + path + " says that it has " + std::to_string(facts.shard_count) +
                         " shards");
  return facts;
}

}  // namespace

// Members are in the order in which they are built; what is above outlives what is below.
class GatewayServer final : public Server {
 public:
  GatewayServer(const Config& given, std::function<void(std::string)> when_fatal)
      : config(given), fatal(std::move(when_fatal)) {}
  ~GatewayServer() override { stop_threads(); }

  base::Status start(const std::function<bool()>& interrupted);
  std::string address() const override { return listening ? listening->address() : ""; }
  base::Registry& metrics() override { return registry; }
  bool stop(const std::function<bool()>& interrupted) override;

 private:
  void build(const CoreFacts& facts);
  void stop_threads() {
    for (auto& reactor : reactors) reactor->stop();
  }

  const Config config;
  const std::function<void(std::string)> fatal;
  base::Registry registry;
  embedded::SystemClock clock;
  embedded::SystemRandom random;
  CoreTime core_time{clock};
  std::vector<std::unique_ptr<net::Reactor>> reactors;
  std::unique_ptr<RemoteAccounts> accounts;
  std::unique_ptr<GatewayNode> gateways;
  std::unique_ptr<CoreConnection> connection;
  std::unique_ptr<Listening> listening;
  OperatorsListening operators;
};

void GatewayServer::build(const CoreFacts& facts) {
  const auto cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const int count = config.shards > 0 ? config.shards : cores;
  std::vector<base::Executor*> shards;
  for (int i = 0; i < count; ++i) {
    reactors.push_back(std::make_unique<net::Reactor>("gateway-" + std::to_string(i)));
    shards.push_back(reactors.back().get());
  }
  accounts = std::make_unique<RemoteAccounts>(*shards[0], config.limits, &RemoteAccounts::calls(registry));
  gateways = std::make_unique<GatewayNode>(GatewayNode::Parts{
      shards, core_time, random, *accounts, config.limits, registry, facts.lineage, facts.lineages,
      [this](const gateway::DeviceHello& hello) { connection->announce(hello); }});
  connection = std::make_unique<CoreConnection>(
      CoreConnection::Parts{config.core, net::connect_at(config.core), shards, *gateways, *accounts,
                            core_time, facts, config.limits, fatal, &link_up_bytes(registry)});
  for (auto& reactor : reactors) reactor->start();
}

base::Status GatewayServer::start(const std::function<bool()>& interrupted) {
  const auto facts = ask_core(config.core, config.limits, interrupted);
  if (!facts) return base::fail(facts.error());
  build(*facts);
  const auto connected = begin([this](base::Task done) { connection->start(std::move(done)); });
  if (!wait_until_interrupted(connected, interrupted))
    return base::failure("stopped while waiting for the core at " + config.core);
  std::vector<net::Reactor*> all;
  for (const auto& reactor : reactors) all.push_back(reactor.get());
  const auto takes_writes = [this] { return connection->takes_writes(); };
  if (auto status = operators.open(*all.front(), config, registry, takes_writes); !status) return status;
  auto opened =
      Listening::open({all, *gateways, *accounts, core_time, random, config, registry, takes_writes});
  if (!opened) return base::fail(opened.error());
  listening = std::move(*opened);
  return {};
}

bool GatewayServer::stop(const std::function<bool()>& interrupted) {
  if (listening) listening->stop_accepting();
  wait_for([this](base::Task done) { gateways->drain(std::move(done)); },
           config.limits.drain_window + drain_timeout, interrupted, [this] { gateways->hurry(); });
  stop_threads();
  return true;  // nothing is kept here
}

base::Result<std::unique_ptr<Server>> start_gateways(const Config& config,
                                                     std::function<void(std::string)> fatal,
                                                     const std::function<bool()>& interrupted) {
  auto server = std::make_unique<GatewayServer>(config, std::move(fatal));
  if (auto status = server->start(interrupted); !status) return base::fail(status.error());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace tidings::server
