#include "server/core_door.h"

#include <algorithm>

#include "base/log_line.h"
#include "server/remote_accounts.h"

namespace tidings::server {

namespace {
constexpr base::nanoseconds status_interval = base::seconds(1);
// Answers and news that a gateway process does not read: its connection ends, and it comes back.
constexpr size_t unsent_bytes_max = 16u << 20;
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
    if (stream->unsent_bytes() <= unsent_bytes_max || ending) return;
    ending = true;
    base::log_warning("a gateway process does not read; its connection is closed");
    // Not here: whoever sends goes through all connections.
    door.parts_.shards.front()->post([weak = std::weak_ptr(door.alive_), &all = door, id = number] {
      if (weak.expired()) return;
      const auto found = all.controls_.find(id);
      if (found != all.controls_.end()) found->second->on_closed();
    });
  }
  void on_message(std::string_view message) override {
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
      [&d](const socket::ControlHello&, net::MessageSocket socket) { d.welcome(std::move(socket)); }};
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

CoreDoor::CoreDoor(Parts parts) : parts_(std::move(parts)), processes_(processes(parts_.metrics)) {}

base::Gauge& CoreDoor::processes(base::Registry& metrics) {
  return metrics.gauge("tidings_gateway_processes", "Gateway processes that are connected.");
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

void CoreDoor::tell_all(const ControlDown& frame, const Control* except) {
  const base::Bytes message = encode_control(frame);
  for (auto& [number, control] : controls_) {
    if (control.get() != except) control->send(message);
  }
}

void CoreDoor::tell_status() {
  timer_ = parts_.shards.front()->after(status_interval, [this] { tell_status(); });
  tell_all(CoreStatus{parts_.log.time(), parts_.log.refuses().has_value()});
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
