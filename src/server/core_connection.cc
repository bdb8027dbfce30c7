#include "server/core_connection.h"

#include <algorithm>

#include "base/log_line.h"

namespace tidings::server {

namespace {
// Until it is asked again who was logged out, when too much else is being asked.
constexpr base::nanoseconds ask_again_pause = std::chrono::milliseconds(200);

Alive alive_of(GatewayNode& gateways) {
  Alive alive;
  for (size_t i = 0; i < gateways.count(); ++i) alive.gateways.push_back(gateways.gateway(i).id());
  return alive;
}
}  // namespace

CoreConnection::CoreConnection(Parts parts)
    : parts_(std::move(parts)),
      control_({*parts_.shards.front(), parts_.path, parts_.connect,
                [this](ControlDown& frame) { on_down(frame); },
                [this] { trying_ ? lost(generation_) : control_.again(); }, alive_of(parts_.gateways),
                parts_.limits}),
      generations_(parts_.shards.size()),
      lineages_(parts_.facts.lineages) {
  for (size_t i = 0; i < parts_.shards.size(); ++i) {
    auto& gateway = parts_.gateways.gateway(i);
    std::vector<ports::LinkToCore*> to_core;
    auto& mine = links_.emplace_back();
    for (size_t core = 0; core < parts_.facts.shard_count; ++core) {
      mine.push_back(std::make_unique<socket::GatewayEnd>(socket::GatewayEnd::Parts{
          *parts_.shards[i], gateway, gateway.id(), core, parts_.limits,
          [this, i] { report(&CoreConnection::opened, generations_[i]); },
          [this, i] { report(&CoreConnection::lost, generations_[i]); }, parts_.link_up_bytes}));
      to_core.push_back(mine.back().get());
    }
    gateway.set_links(std::move(to_core));
  }
}

CoreConnection::~CoreConnection() = default;

// To the first shard.
void CoreConnection::report(void (CoreConnection::*what)(uint64_t), uint64_t generation) {
  parts_.shards.front()->post([this, weak = std::weak_ptr(alive_), what, generation] {
    if (!weak.expired()) (this->*what)(generation);
  });
}

void CoreConnection::start(base::Task ready) {
  parts_.shards.front()->post([this, weak = std::weak_ptr(alive_), ready = std::move(ready)]() mutable {
    if (weak.expired()) return;
    ready_ = std::move(ready);
    control_.start();
  });
}

void CoreConnection::announce(const gateway::DeviceHello& hello) {
  parts_.shards.front()->post([this, weak = std::weak_ptr(alive_), hello] {
    if (!weak.expired()) control_.send(hello);
  });
}

void CoreConnection::on_down(ControlDown& frame) {
  if (const auto* facts = std::get_if<CoreFacts>(&frame)) return take(*facts);
  if (const auto* status = std::get_if<CoreStatus>(&frame)) {
    parts_.time.told(status->log_time);
    refuses_ = status->refuses;
  } else if (const auto* answer = std::get_if<AccountAnswer>(&frame)) {
    if (!parts_.accounts.on_answer(*answer)) base::log_warning("the core answers what was not asked");
  } else if (const auto* hello = std::get_if<gateway::DeviceHello>(&frame)) {
    parts_.gateways.on_device_hello(*hello);
  } else if (const auto* revoked = std::get_if<Revoked>(&frame)) {
    parts_.accounts.on_revoked_there(revoked->device);
  } else if (const auto* lineage = std::get_if<model::Lineage>(&frame)) {
    lineages_.push_back(*lineage);
    parts_.gateways.on_lineage(*lineage);
  }
}

void CoreConnection::take(const CoreFacts& facts) {
  if (trying_) return;
  if (facts.shard_count != parts_.facts.shard_count) {
    return parts_.fatal("the core has " + std::to_string(facts.shard_count) + " shards now, and had " +
                        std::to_string(parts_.facts.shard_count) + "; please start this gateway again");
  }
  // Before connections use the links: what a client believes of an older history ends with a restore, also
  // with one that was made by copying files while this process lived on.
  const auto among = [](const model::Lineage& one, const std::vector<model::Lineage>& all) {
    return std::ranges::any_of(all, [&](const auto& other) { return other.tag == one.tag; });
  };
  const bool is_continued =
      std::ranges::all_of(lineages_, [&](const auto& known) { return among(known, facts.lineages); });
  if (!is_continued) {
    base::log_warning("the core at {} goes on from an older copy of its data; all sessions end", parts_.path);
    lineages_ = facts.lineages;
    parts_.gateways.on_other_history(lineages_);
  }
  for (const auto& lineage : facts.lineages) {
    if (among(lineage, lineages_)) continue;
    lineages_.push_back(lineage);
    parts_.gateways.on_lineage(lineage);
  }
  parts_.accounts.connected([this](const AccountAsk& ask) { control_.send(ask); });
  open_links();
}

void CoreConnection::open_links() {
  trying_ = true;
  ++generation_;
  open_ = 0;
  for (size_t i = 0; i < parts_.shards.size(); ++i) {
    parts_.shards[i]->post([this, weak = std::weak_ptr(alive_), i, generation = generation_] {
      if (weak.expired()) return;
      generations_[i] = generation;
      for (auto& link : links_[i]) {
        auto socket = parts_.connect();
        if (!socket) return report(&CoreConnection::lost, generation);
        link->open(std::move(*socket));
      }
    });
  }
}

void CoreConnection::opened(uint64_t generation) {
  if (generation != generation_ || !trying_) return;
  if (++open_ < parts_.shards.size() * parts_.facts.shard_count) return;
  stands_ = true;
  control_.rest();
  base::log_info("connected to the core at {}", parts_.path);
  for (size_t i = 0; i < parts_.shards.size(); ++i) catch_up(generation, i);
  if (ready_) std::exchange(ready_, base::Task())();
}

void CoreConnection::catch_up(uint64_t generation, size_t index) {
  parts_.shards[index]->post([this, weak = std::weak_ptr(alive_), generation, index] {
    if (weak.expired()) return;
    auto hellos = parts_.gateways.gateway(index).device_hellos();
    if (hellos.empty()) return links_ready(index);
    parts_.shards.front()->post([this, weak, generation, index, hellos = std::move(hellos)] {
      if (weak.expired() || generation != generation_ || !trying_) return;
      std::vector<model::DeviceId> devices;
      devices.reserve(hellos.size());
      for (const auto& hello : hellos) {
        control_.send(hello);
        devices.push_back(hello.device);
      }
      end_revoked(generation, index, std::move(devices));
    });
  });
}

void CoreConnection::end_revoked(uint64_t generation, size_t index, std::vector<model::DeviceId> devices) {
  auto& home = *parts_.shards.front();
  parts_.accounts.find_revoked(devices, home,
                               [this, weak = std::weak_ptr(alive_), &home, generation, index,
                                devices](wire::Answer<std::vector<model::DeviceId>> revoked) mutable {
                                 if (weak.expired() || generation != generation_ || !trying_) return;
                                 if (!revoked) {
                                   home.after(ask_again_pause, [this, weak, generation, index,
                                                                devices = std::move(devices)]() mutable {
                                     if (!weak.expired() && generation == generation_ && trying_)
                                       end_revoked(generation, index, std::move(devices));
                                   });
                                   return;
                                 }
                                 for (const auto device : *revoked) parts_.accounts.on_revoked_there(device);
                                 parts_.shards[index]->post([this, weak, index] {
                                   if (!weak.expired()) links_ready(index);
                                 });
                               });
}

// On the gateway's executor.
void CoreConnection::links_ready(size_t index) {
  for (size_t core = 0; core < links_[index].size(); ++core)
    parts_.gateways.gateway(index).on_link_ready(core);
}

void CoreConnection::lost(uint64_t generation) {
  if (generation != generation_ || !trying_) return;
  trying_ = false;
  const bool stood = stands_.exchange(false);
  if (stood)
    base::log_warning("the core at {} is gone; requests are answered busy until it is back", parts_.path);
  parts_.accounts.disconnected();
  for (size_t i = 0; i < parts_.shards.size(); ++i) {
    parts_.shards[i]->post([this, weak = std::weak_ptr(alive_), i] {
      if (weak.expired()) return;
      for (auto& link : links_[i]) link->close();
      // Also of a try that came to nothing: a link that stood for a moment may have taken requests.
      for (size_t core = 0; core < links_[i].size(); ++core) {
        parts_.gateways.gateway(i).on_link_lost(core);
      }
    });
  }
  control_.again();
}

}  // namespace tidings::server
