#include "server/core_door.h"

#include <algorithm>
#include <utility>

#include "base/log_line.h"
#include "server/link_gauges.h"
#include "server/remote_accounts.h"

namespace tidings::server {

namespace {

base::Gauge& processes(base::Registry& metrics) {
  return metrics.gauge("tidings_gateway_processes", "Gateway processes that are connected.");
}
base::Gauge& links(base::Registry& metrics) {
  return metrics.gauge("tidings_gateway_links", "Links of gateway processes.");
}
base::Gauge& guests(base::Registry& metrics) {
  return metrics.gauge("tidings_gateway_link_guests",
                       "Connections of gateway processes that owe their hello.");
}
base::Gauge& queue_bytes(base::Registry& metrics) {
  return metrics.gauge(
      "tidings_gateway_control_queue_bytes",
      "What gateway processes have not read of their control connections, as of the last second.");
}

}  // namespace

// One gateway process.
struct CoreDoor::Control : net::MessageHandler {
  Control(CoreDoor& owner, uint64_t own_number, net::MessageSocket socket)
      : door(owner),
        number(own_number),
        stream(socket(*owner.parts_.shards.front(), *this, control_message_bytes_max)) {}

  void send(const ControlDown& frame) { send(encode_control(frame)); }
  void send(const base::Bytes& message) {
    stream->send(message);
    if (stream->unsent_bytes() > door.parts_.limits.control_queue_bytes_max) end("does not read");
  }
  // It comes back.
  void end(const char* why) {
    if (std::exchange(ending, true)) return;
    base::log_warning("a gateway process {}; its connections are closed", why);
    // Not here: whoever sends goes through all connections.
    door.parts_.shards.front()->post([weak = std::weak_ptr(door.alive_), &all = door, id = number] {
      if (weak.expired()) return;
      const auto found = all.controls_.find(id);
      if (found == all.controls_.end()) return;
      all.core_socket_->close_links(found->second->gateways);
      found->second->on_closed();
    });
  }
  void on_message(std::string_view message) override {
    silent = {};
    auto frame = decode_control_up(message);
    if (!frame) {
      base::log_warning("a gateway process does not speak this core's language; closed");
      return on_closed();
    }
    std::visit([this](auto& one) { door.take(*this, one); }, *frame);
  }
  void on_closed() override {
    door.processes_.add(-1);
    base::log_info("a gateway process has gone");
    door.controls_.erase(number);
  }

  CoreDoor& door;
  const uint64_t number;
  const std::unique_ptr<net::MessageStream> stream;
  std::vector<uint64_t> gateways;
  base::nanoseconds silent{};  // counted by turns of tell_status()
  size_t in_flight = 0;
  bool ending = false;
};

base::Result<std::unique_ptr<CoreDoor>> CoreDoor::open(Parts parts, std::vector<model::Lineage> lineages) {
  std::unique_ptr<CoreDoor> door(new CoreDoor(std::move(parts)));
  CoreDoor& d = *door;
  d.lineages_ = std::move(lineages);
  socket::CoreSocket::Parts socket_parts{
      d.parts_.path,
      d.parts_.listen,
      {},
      d.parts_.limits,
      [&d](const socket::ControlHello&, net::MessageSocket socket) { d.welcome(std::move(socket)); },
      &links(d.parts_.metrics),
      &guests(d.parts_.metrics),
      &link_down_bytes(d.parts_.metrics)};
  for (size_t i = 0; i < d.parts_.shards.size(); ++i) {
    socket_parts.shards.push_back({*d.parts_.shards[i], d.parts_.core.shard(i)});
  }
  auto listening = socket::CoreSocket::listen(std::move(socket_parts));
  if (!listening) return base::fail(listening.error());
  d.core_socket_ = std::move(*listening);
  d.parts_.accounts.on_revoked(*d.parts_.shards.front(),
                               [weak = std::weak_ptr(d.alive_), &d](model::DeviceId device) {
                                 if (!weak.expired()) d.tell_all(Revoked{device});
                               });
  d.tell_status();
  return door;
}

CoreDoor::CoreDoor(Parts parts)
    : parts_(std::move(parts)),
      processes_(processes(parts_.metrics)),
      queue_bytes_(queue_bytes(parts_.metrics)),
      calls_(RemoteAccounts::calls(parts_.metrics)) {}

void CoreDoor::show_metrics(base::Registry& metrics) {
  for (auto* gauge : {processes, links, guests, queue_bytes, link_down_bytes, RemoteAccounts::calls})
    gauge(metrics);
}

CoreDoor::~CoreDoor() {
  parts_.shards.front()->cancel(timer_);
  alive_.reset();
  processes_.add(-static_cast<int64_t>(controls_.size()));
}

void CoreDoor::welcome(net::MessageSocket socket) {
  const uint64_t number = ++last_control_;
  auto& control =
      *controls_.emplace(number, std::make_unique<Control>(*this, number, std::move(socket))).first->second;
  processes_.add(1);
  base::log_info("a gateway process has come");
  control.stream->send(socket::encode(socket::Welcome{}));
  control.send(CoreFacts{parts_.core.shard_count(), parts_.core.lineage(), lineages_});
  control.send(CoreStatus{parts_.log.time(), parts_.log.refuses().has_value()});
}

void CoreDoor::take(Control& from, AccountAsk& ask) {
  const auto answer = [weak = std::weak_ptr(alive_), this, id = from.number,
                       number = ask.number](std::string bytes) {
    if (weak.expired()) return;
    const auto found = controls_.find(id);
    if (found == controls_.end()) return;
    --found->second->in_flight;
    found->second->send(AccountAnswer{number, std::move(bytes)});
  };
  ++from.in_flight;
  // The gateway keeps the same bound; only one that does not meets this.
  if (from.in_flight > parts_.limits.account_calls_in_flight_max) return from.on_closed();
  run_call(parts_.accounts, std::move(ask.call), *parts_.shards.front(), answer);
}

void CoreDoor::take(Control& from, const gateway::DeviceHello& hello) {
  tell_all(hello, &from);
  if (parts_.on_device_hello) parts_.on_device_hello(hello);
}

void CoreDoor::take(Control& from, Alive& alive) {
  from.gateways = std::move(alive.gateways);
}

void CoreDoor::tell_all(const ControlDown& frame, const Control* except) {
  const base::Bytes message = encode_control(frame);
  for (auto& [number, control] : controls_) {
    if (control.get() != except) control->send(message);
  }
}

void CoreDoor::tell_status() {
  timer_ = parts_.shards.front()->after(control_interval, [this] { tell_status(); });
  tell_all(CoreStatus{parts_.log.time(), parts_.log.refuses().has_value()});
  size_t unsent = 0, calls = 0;
  for (auto& [number, control] : controls_) {
    unsent += control->stream->unsent_bytes();
    calls += control->in_flight;
    control->silent += control_interval;
    if (control->silent > parts_.limits.core_silence_timeout) control->end("says nothing");
  }
  queue_bytes_.set(unsent);
  calls_.set(calls);
}

void CoreDoor::on_lineage(const model::Lineage& lineage) {
  parts_.shards.front()->post([weak = std::weak_ptr(alive_), this, lineage] {
    if (weak.expired()) return;
    const bool known =
        std::ranges::any_of(lineages_, [&](const auto& known_one) { return known_one.tag == lineage.tag; });
    if (known) return;
    lineages_.push_back(lineage);
    tell_all(lineage);
  });
}

void CoreDoor::announce(const gateway::DeviceHello& hello) {
  parts_.shards.front()->post([weak = std::weak_ptr(alive_), this, hello] {
    if (!weak.expired()) tell_all(hello);
  });
}

}  // namespace tidings::server
