#include "server/gateway_node.h"

#include "gateway/branches.h"

namespace tidings::server {

struct GatewayNode::State {
  explicit State(Parts p) : parts(std::move(p)) {}

  Parts parts;
  std::vector<std::unique_ptr<gateway::Gateway>> gateways;
  size_t left = 0;     // shard 0's, while draining
  base::Task drained;  // likewise

  void announce(size_t from, const gateway::DeviceHello& hello);
  bool at_gateway(uint64_t id, base::UniqueFunction<void(gateway::Gateway&)> task);
};

GatewayNode::GatewayNode(Parts parts) : state_(std::make_unique<State>(std::move(parts))) {
  State& s = *state_;
  for (size_t i = 0; i < s.parts.shards.size(); ++i) {
    s.gateways.push_back(std::make_unique<gateway::Gateway>(
        gateway::Gateway::Parts{*s.parts.shards[i], s.parts.clock, s.parts.random, s.parts.accounts,
                                s.parts.limits, s.parts.metrics, gateway::branch_text(s.parts.lineage),
                                [&s, i](const gateway::DeviceHello& hello) { s.announce(i, hello); },
                                [&s](uint64_t id, base::UniqueFunction<void(gateway::Gateway&)> task) {
                                  return s.at_gateway(id, std::move(task));
                                },
                                s.parts.lineages, s.parts.shards.size()}));
  }
}
GatewayNode::~GatewayNode() = default;

// Two sessions of one device may be at two gateways: each good hello is told to the others.
void GatewayNode::State::announce(size_t from, const gateway::DeviceHello& hello) {
  for (size_t other = 0; other < gateways.size(); ++other) {
    if (other == from) continue;
    parts.shards[other]->post([gateway = gateways[other].get(), hello] { gateway->on_device_hello(hello); });
  }
  if (parts.announce) parts.announce(hello);
}

// Any shard's thread: the ids do not change.
bool GatewayNode::State::at_gateway(uint64_t id, base::UniqueFunction<void(gateway::Gateway&)> task) {
  for (size_t i = 0; i < gateways.size(); ++i) {
    if (gateways[i]->id() != id) continue;
    if (task)
      parts.shards[i]->post([gateway = gateways[i].get(), t = std::move(task)]() mutable { t(*gateway); });
    return true;
  }
  return false;
}

size_t GatewayNode::count() const {
  return state_->gateways.size();
}

gateway::Gateway& GatewayNode::gateway(size_t shard) {
  return *state_->gateways[shard];
}

base::Executor& GatewayNode::executor(size_t shard) {
  return *state_->parts.shards[shard];
}

void GatewayNode::each(std::function<void(gateway::Gateway&)> call) {
  for (size_t i = 0; i < count(); ++i) {
    executor(i).post([&gateway = gateway(i), call] { call(gateway); });
  }
}

void GatewayNode::on_lineage(const model::Lineage& lineage) {
  each([lineage](gateway::Gateway& gateway) { gateway.on_lineage(lineage); });
}

void GatewayNode::on_other_history(const std::vector<model::Lineage>& lineages) {
  each([lineages](gateway::Gateway& gateway) { gateway.on_other_history(lineages); });
}

void GatewayNode::on_device_hello(const gateway::DeviceHello& hello) {
  each([hello](gateway::Gateway& gateway) { gateway.on_device_hello(hello); });
}

void GatewayNode::hurry() {
  each([](gateway::Gateway& gateway) { gateway.hurry(); });
}

void GatewayNode::drain(base::Task done) {
  State& s = *state_;
  s.left = s.gateways.size();
  s.drained = std::move(done);
  each([&s](gateway::Gateway& gateway) {
    gateway.drain([&s] {
      s.parts.shards[0]->post([&s] {
        if (--s.left == 0) std::exchange(s.drained, base::Task())();
      });
    });
  });
}

}  // namespace tidings::server
