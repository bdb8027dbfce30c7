#include "bench/cluster.h"

namespace tidings::bench {

namespace {
const std::vector<std::string> no_bound_of_connections{"--set", "limits.connections=1000000"};
}

Cluster::Cluster(std::string binary, std::string data, size_t gateways, std::vector<std::string> more,
                 int machine_core)
    : binary_(std::move(binary)),
      data_(std::move(data)),
      more_(std::move(more)),
      machine_core_(machine_core) {
  ServerOptions options;
  options.core = machine_core_;
  options.one_arena = true;
  options.role = "core";
  options.socket = data_ + "/core";
  core_ = std::make_unique<ServerProcess>(binary_, data_, options);
  for (size_t i = 0; i < gateways; ++i) {
    gateways_.push_back(make_gateway(0));
    ports_.push_back(gateways_.back()->port());
  }
}

Cluster::~Cluster() {
  for (const auto& gateway : gateways_) {
    if (gateway) gateway->kill_now();
  }
  core_->kill_now();
}

std::unique_ptr<ServerProcess> Cluster::make_gateway(uint16_t port) const {
  ServerOptions options;
  options.core = machine_core_;
  options.one_arena = true;
  options.role = "gateway";
  options.socket = data_ + "/core";
  options.port = port;
  options.more = no_bound_of_connections;
  options.more.insert(options.more.end(), more_.begin(), more_.end());
  return std::make_unique<ServerProcess>(binary_, data_, options);
}

std::vector<uint16_t> Cluster::ports() const {
  return ports_;
}

void Cluster::kill_gateway(size_t gateway) {
  cpu_seconds_of_killed_ += gateways_[gateway]->cpu_seconds();
  gateways_[gateway]->kill_now();
  gateways_[gateway].reset();
}

void Cluster::start_gateway(size_t gateway) {
  gateways_[gateway] = make_gateway(ports_[gateway]);
}

double Cluster::gateways_cpu_seconds() const {
  double all = cpu_seconds_of_killed_;
  for (const auto& gateway : gateways_) {
    if (gateway) all += gateway->cpu_seconds();
  }
  return all;
}

Memory Cluster::gateways_memory() const {
  Memory all;
  for (const auto& gateway : gateways_) {
    if (gateway) all += gateway->memory();
  }
  return all;
}

}  // namespace tidings::bench
