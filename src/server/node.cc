#include "server/node.h"

#include "engine/embedded/local_link.h"
#include "server/link_gauges.h"

namespace tidings::server {

struct Node::State {
  std::function<void(const model::Lineage&)> on_lineage;
  std::unique_ptr<CoreNode> core;
  std::unique_ptr<GatewayNode> gateways;
  std::vector<std::unique_ptr<embedded::LocalLink>> links;
};

Node::Node(std::unique_ptr<State> state) : state_(std::move(state)) {}
Node::~Node() = default;

base::Result<std::unique_ptr<Node>> Node::make(Parts parts) {
  auto made = CoreNode::make({parts.shards, parts.store_executor, parts.readers, parts.clock, parts.random,
                              parts.log, parts.store, parts.limits, parts.metrics, parts.fatal});
  if (!made) return base::fail(made.error());
  auto state = std::make_unique<State>();
  State& s = *state;
  s.on_lineage = std::move(parts.on_lineage);
  s.core = std::move(*made);
  s.gateways = std::make_unique<GatewayNode>(
      GatewayNode::Parts{parts.shards, parts.clock, parts.random, parts.accounts, parts.limits, parts.metrics,
                         s.core->lineage(), s.core->known_lineages(), std::move(parts.announce)});
  for (size_t i = 0; i < parts.shards.size(); ++i) {
    auto& gateway = s.gateways->gateway(i);
    std::vector<ports::LinkToCore*> to_core;
    for (size_t core = 0; core < parts.shards.size(); ++core) {
      s.links.push_back(std::make_unique<embedded::LocalLink>(embedded::LocalLink::Parts{
          *parts.shards[i], gateway, gateway.id(), *parts.shards[core], s.core->shard(core), core,
          parts.limits, &link_up_bytes(parts.metrics), &link_down_bytes(parts.metrics)}));
      to_core.push_back(&s.links.back()->to_core());
    }
    gateway.set_links(std::move(to_core));
  }
  return std::unique_ptr<Node>(new Node(std::move(state)));
}

void Node::start(base::Task ready) {
  State& s = *state_;
  for (auto& link : s.links) link->open();
  s.core->start(std::move(ready), [&s](const model::Lineage& lineage) {
    s.gateways->on_lineage(lineage);
    if (s.on_lineage) s.on_lineage(lineage);
  });
}

CoreNode& Node::core() {
  return *state_->core;
}

GatewayNode& Node::gateways() {
  return *state_->gateways;
}

void Node::drain(base::Task done) {
  state_->gateways->drain(
      [s = state_.get(), done = std::move(done)]() mutable { s->core->flush(std::move(done)); });
}

uint64_t Node::fold_hash() const {
  return state_->core->fold_hash();
}

bool Node::quiet() const {
  return state_->core->quiet();
}

}  // namespace tidings::server
