#include "test/sim/links.h"

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <string>

namespace tidings::sim {
namespace {

using base::milliseconds;
using std::chrono::microseconds;

constexpr size_t gateway_side = 0, core_side = 1;

nanoseconds latency(Prng& random) {
  return random.chance(970) ? random.duration(microseconds(200)) : random.duration(milliseconds(10));
}

}  // namespace

struct Links::Connection : std::enable_shared_from_this<Connection> {
  struct Arriving {
    MonotonicTime time;
    std::optional<std::string> message;  // or the end
  };
  struct Side {
    SimExecutor* executor = nullptr;  // of its stream; nullptr: nobody reads yet, or any more
    net::MessageHandler* handler = nullptr;
    Stream* stream = nullptr;
    bool open = true;
    std::deque<Arriving> inbox;
    MonotonicTime arrives{}, stalled_until{};
    uint64_t reading = 0;  // the newest task that reads
  };
  Connection(Scheduler& s, Prng r, const Process& g) : scheduler(s), random(r), gateway(&g) {}

  void push(size_t to, std::optional<std::string> message) {
    auto& side = sides[to];
    if (!side.open) return;
    const auto time = std::max(scheduler.now() + latency(random), side.stalled_until);
    side.arrives = std::max(side.arrives, time);
    side.inbox.push_back({side.arrives, std::move(message)});
    if (side.inbox.size() == 1) read_later(to);
  }
  void stall(size_t to, MonotonicTime until) {
    auto& side = sides[to];
    side.stalled_until = std::max(side.stalled_until, until);
    for (auto& one : side.inbox) one.time = std::max(one.time, until);
    if (!side.inbox.empty()) side.arrives = std::max(side.arrives, until);
  }
  void end_stall(size_t to) {
    auto& side = sides[to];
    const auto now = scheduler.now();
    side.stalled_until = std::min(side.stalled_until, now);
    for (auto& one : side.inbox) one.time = std::min(one.time, now + milliseconds(1));
    side.arrives = std::min(side.arrives, now + milliseconds(1));
    if (!side.inbox.empty()) read_later(to);
  }
  // This side's descriptor is closed.
  void close(size_t from) {
    auto& side = sides[from];
    if (!std::exchange(side.open, false)) return;
    side.executor = nullptr;
    side.handler = nullptr;
    side.stream = nullptr;
    side.inbox.clear();
    push(1 - from, std::nullopt);
  }
  void read_later(size_t side);
  void read(size_t side);
  size_t bytes_to(size_t to) const {
    size_t bytes = 0;
    for (const auto& one : sides[to].inbox) bytes += one.message ? one.message->size() : 0;
    return bytes;
  }

  Scheduler& scheduler;
  Prng random;
  const Process* gateway;
  std::array<Side, 2> sides;
};

// Keeps a side open that has no stream.
class Links::Holder {
 public:
  Holder(std::shared_ptr<Connection> connection, size_t side)
      : connection_(std::move(connection)), side_(side) {}
  Holder(Holder&&) = default;
  Holder& operator=(Holder&&) = delete;
  ~Holder() {
    if (connection_) connection_->close(side_);
  }
  net::MessageSocket socket() &&;

 private:
  std::shared_ptr<Connection> connection_;
  size_t side_;
};

class Links::Stream : public net::MessageStream {
 public:
  Stream(std::shared_ptr<Connection> connection, size_t side, SimExecutor& executor,
         net::MessageHandler& handler, size_t message_bytes_max)
      : connection_(std::move(connection)),
        side_(side),
        executor_(executor),
        handler_(handler),
        message_bytes_max_(message_bytes_max) {
    auto& mine = connection_->sides[side_];
    mine.executor = &executor;
    mine.handler = &handler;
    mine.stream = this;
    if (!mine.inbox.empty()) connection_->read_later(side_);
  }
  ~Stream() override {
    if (connection_) connection_->close(side_);
  }

  void send(std::string_view message) override {
    if (!connection_) return;
    unsent_.emplace_back(message);
    write_later();
  }
  void flush() override {
    if (!connection_ || !executor_.process().alive()) return;
    for (auto& message : std::exchange(unsent_, {})) connection_->push(1 - side_, std::move(message));
  }
  size_t unsent_bytes() const override {
    size_t bytes = connection_ ? connection_->bytes_to(1 - side_) : 0;
    for (const auto& message : unsent_) bytes += message.size();
    return bytes;
  }
  void at_turn_end() override {
    wants_turn_end_ = true;
    write_later();
  }
  net::MessageSocket release() override {
    if (!connection_) return {};
    auto& mine = connection_->sides[side_];
    mine.executor = nullptr;
    mine.handler = nullptr;
    mine.stream = nullptr;
    const bool more = !mine.inbox.empty() && mine.inbox.front().time <= connection_->scheduler.now();
    Holder holder(std::exchange(connection_, nullptr), side_);
    if (more || !unsent_.empty()) return {};
    return std::move(holder).socket();
  }
  bool takes(std::string_view message) const { return message.size() <= message_bytes_max_; }
  // False: the stream is gone.
  template <class Call>
  bool tell(Call call) {
    const std::weak_ptr<bool> weak = alive_;
    call(handler_);
    return !weak.expired() && connection_;
  }
  void fail() {
    connection_->close(side_);
    connection_ = nullptr;
    handler_.on_closed();
  }

 private:
  void write_later() {
    if (std::exchange(writes_, true)) return;
    executor_.post([this, weak = std::weak_ptr(alive_)] {
      if (weak.expired()) return;
      writes_ = false;
      if (std::exchange(wants_turn_end_, false) && !tell([](auto& handler) { handler.on_turn_end(); }))
        return;
      flush();
    });
  }

  std::shared_ptr<Connection> connection_;  // nullptr: closed
  const size_t side_;
  SimExecutor& executor_;
  net::MessageHandler& handler_;
  const size_t message_bytes_max_;
  std::vector<std::string> unsent_;
  bool writes_ = false, wants_turn_end_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

net::MessageSocket Links::Holder::socket() && {
  return
      [holder = std::move(*this)](base::Executor& on, net::MessageHandler& handler,
                                  size_t message_bytes_max) mutable -> std::unique_ptr<net::MessageStream> {
        return std::make_unique<Stream>(std::exchange(holder.connection_, nullptr), holder.side_,
                                        static_cast<SimExecutor&>(on), handler, message_bytes_max);
      };
}

void Links::Connection::read_later(size_t at) {
  auto& side = sides[at];
  if (!side.executor || side.inbox.empty()) return;
  side.executor->post_at(side.inbox.front().time, [weak = weak_from_this(), at, reading = ++side.reading] {
    const auto self = weak.lock();
    if (self && self->sides[at].reading == reading && self->sides[at].stream) self->read(at);
  });
}

void Links::Connection::read(size_t at) {
  auto& side = sides[at];
  while (!side.inbox.empty() && side.inbox.front().time <= scheduler.now()) {
    const auto message = std::move(side.inbox.front().message);
    side.inbox.pop_front();
    if (!message || !side.stream->takes(*message)) return side.stream->fail();
    if (!side.stream->tell([&](auto& handler) { handler.on_message(*message); })) return;
  }
  read_later(at);
}

struct Links::Listener : net::MessageListener {
  Listener(SimExecutor& e, std::function<void(net::MessageSocket)> a)
      : executor(e), on_accept(std::move(a)) {}
  SimExecutor& executor;
  std::function<void(net::MessageSocket)> on_accept;
};

net::Listen Links::listen_on(SimExecutor& executor) {
  return [this, &executor](std::function<void(net::MessageSocket)> on_accept)
             -> base::Result<std::unique_ptr<net::MessageListener>> {
    // What is given away goes, and with it the place where gateways knock.
    struct Place : net::MessageListener {
      std::shared_ptr<Listener> listener;
    };
    auto place = std::make_unique<Place>();
    place->listener = std::make_shared<Listener>(executor, std::move(on_accept));
    listener_ = place->listener;
    return std::unique_ptr<net::MessageListener>(std::move(place));
  };
}

net::Connect Links::connect_from(const Process& process) {
  return [this, &process]() -> base::Result<net::MessageSocket> {
    const auto listener = listener_.lock();
    if (!listener || !listener->executor.process().alive()) return base::failure("nobody listens");
    auto connection = std::make_shared<Connection>(scheduler_, random_.fork(), process);
    std::erase_if(connections_, [](const auto& old) { return old.expired(); });
    connections_.push_back(connection);
    listener->executor.post_at(
        scheduler_.now() + latency(random_),
        [weak = std::weak_ptr(listener), holder = Holder(connection, core_side)]() mutable {
          if (const auto here = weak.lock()) here->on_accept(std::move(holder).socket());
        });
    return Holder(std::move(connection), gateway_side).socket();
  };
}

std::vector<std::shared_ptr<Links::Connection>> Links::of(const Process& gateway) const {
  std::vector<std::shared_ptr<Connection>> out;
  for (const auto& weak : connections_) {
    auto connection = weak.lock();
    if (connection && connection->gateway == &gateway && connection->sides[0].open &&
        connection->sides[1].open)
      out.push_back(std::move(connection));
  }
  return out;
}

void Links::stall(const Process& gateway, Way way, nanoseconds duration, uint64_t per_mille) {
  const auto until = scheduler_.now() + duration;
  for (const auto& connection : of(gateway)) {
    if (!random_.chance(per_mille)) continue;
    if (way != Way::down) connection->stall(core_side, until);
    if (way != Way::up) connection->stall(gateway_side, until);
  }
}

void Links::end_stalls() {
  for (const auto& weak : connections_) {
    if (const auto connection = weak.lock()) {
      connection->end_stall(core_side);
      connection->end_stall(gateway_side);
    }
  }
}

void Links::break_one(const Process& gateway) {
  const auto all = of(gateway);
  if (all.empty()) return;
  const auto& connection = all[random_.below(all.size())];
  for (size_t i = 0; i < 2; ++i) {
    auto& side = connection->sides[i];
    side.inbox.clear();
    side.arrives = scheduler_.now() + random_.duration(milliseconds(200));
    side.stalled_until = {};
    side.inbox.push_back({side.arrives, std::nullopt});
    connection->read_later(i);
  }
}

size_t Links::connected(const Process& gateway) const {
  return of(gateway).size();
}

}  // namespace tidings::sim
