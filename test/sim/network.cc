#include "test/sim/network.h"

#include <algorithm>
#include <array>

namespace tidings::sim {
namespace {

using base::milliseconds;
using base::seconds;

constexpr uint16_t broken = 1006;
constexpr size_t client_side = 0, server_side = 1;

}  // namespace

// One end, and the way of frames from the other end to it.
struct Network::Side {
  SimExecutor* executor = nullptr;
  ports::Transport::Handler* handler = nullptr;
  bool open = true;    // frames and the end are told to it
  bool exists = true;  // its transport was not destroyed
  // Towards this side.
  std::optional<MonotonicTime> lost_from;
  uint64_t frames = 0;
  std::optional<uint64_t> lost_from_frame;
  std::function<void()> on_lost;  // of that frame, once
  MonotonicTime departs{}, arrives{};
  std::deque<std::string> inbox;                         // on their way, or arrived
  bool moves = false;                                    // between two threads
  std::vector<base::Task> waiting;                       // until it is at the next one
  std::deque<std::pair<MonotonicTime, size_t>> leaving;  // not yet taken by this side's machine
};

struct Network::Connection : std::enable_shared_from_this<Connection> {
  Connection(Scheduler& s, Prng r) : scheduler(s), random(r) {}

  Scheduler& scheduler;
  Prng random;
  nanoseconds latency_max{};
  uint64_t bytes_per_second = 0;  // 0: as fast as one likes
  const Network* network = nullptr;
  std::array<Side, 2> sides;

  void send(size_t to, std::string_view frame) {
    auto& side = sides[to];
    const auto now = scheduler.now();
    if (network->trace) {
      network->trace(sides[1 - to].executor->process().name(), side.executor->process().name(), frame);
    }
    auto takes = nanoseconds(1000);
    if (bytes_per_second) takes += nanoseconds(frame.size() * 1'000'000'000 / bytes_per_second);
    side.departs = std::max(side.departs, now) + takes;
    side.leaving.push_back({side.departs, frame.size()});
    ++side.frames;
    if (side.lost_from && side.departs >= *side.lost_from) return;
    if (side.lost_from_frame && side.frames >= *side.lost_from_frame) {
      if (const auto tell = std::exchange(side.on_lost, nullptr)) tell();
      return;
    }
    side.inbox.emplace_back(frame);
    at(to, arrival(side), [this, to] {
      auto& here = sides[to];
      const auto text = std::move(here.inbox.front());
      here.inbox.pop_front();
      if (here.lost_from && scheduler.now() >= *here.lost_from) return;
      if (here.open && here.handler) here.handler->on_frame(text);
    });
  }
  // Then, on the thread that has this side by then.
  void at(size_t to, MonotonicTime when, base::Task what) {
    auto* const executor = sides[to].executor;
    executor->post_at(when, [self = shared_from_this(), to, executor, what = std::move(what)]() mutable {
      auto& side = self->sides[to];
      if (!side.moves && side.executor == executor) return what();
      auto again = [self, to, what = std::move(what)]() mutable {
        self->at(to, self->scheduler.now(), std::move(what));
      };
      if (!side.moves) return again();
      side.waiting.push_back(std::move(again));
    });
  }
  MonotonicTime arrival(Side& side) {
    side.arrives =
        std::max(side.arrives, std::max(side.departs, scheduler.now()) + random.duration(latency_max));
    return side.arrives;
  }
  size_t waiting(Side& side) {
    while (!side.leaving.empty() && side.leaving.front().first <= scheduler.now()) side.leaving.pop_front();
    size_t bytes = 0;
    for (const auto& [at, size] : side.leaving) bytes += size;
    return bytes;
  }
  void tell_closed(size_t to, MonotonicTime when, uint16_t code, std::string reason) {
    at(to, when, [this, to, code, text = std::move(reason)] {
      auto& side = sides[to];
      if (!std::exchange(side.open, false) || !side.exists) return;
      if (side.handler) side.handler->on_closed(code, text);
    });
  }
  // The end of `from` is on its way to the other side, behind its frames.
  void end(size_t from, uint16_t code, std::string reason) {
    auto& peer = sides[1 - from];
    if (peer.lost_from || peer.lost_from_frame) return;
    tell_closed(1 - from, arrival(peer), code, std::move(reason));
  }
};

class Network::End : public ports::Transport {
 public:
  End(std::shared_ptr<Connection> connection, size_t side)
      : connection_(std::move(connection)), side_(side) {}
  ~End() override {
    if (moved_) return;
    // What waits holds the connection.
    mine().moves = false;
    mine().waiting.clear();
    mine().exists = false;
    if (std::exchange(mine().open, false) && !closing_) connection_->end(side_, broken, "");
  }

  void set_handler(Handler* handler) override { mine().handler = handler; }
  void send(std::string_view frame) override {
    if (!closing_ && mine().open && mine().executor->process().alive()) connection_->send(1 - side_, frame);
  }
  size_t outbox_bytes() const override { return connection_->waiting(connection_->sides[1 - side_]); }
  void close(uint16_t code, std::string_view reason) override {
    if (std::exchange(closing_, true) || !mine().open) return;
    connection_->end(side_, code, std::string(reason));
    connection_->tell_closed(side_, connection_->scheduler.now() + milliseconds(1), code,
                             std::string(reason));
  }
  ports::MovedTransport move_out() override {
    if (closing_ || !mine().open) return {};
    moved_ = true;
    mine().handler = nullptr;
    mine().moves = true;
    // Dropped on the way, it breaks as any other.
    return [end = std::make_unique<End>(connection_, side_)](base::Executor& executor) mutable {
      auto& side = end->mine();
      side.executor = &static_cast<SimExecutor&>(executor);
      side.moves = false;
      for (auto& task : std::exchange(side.waiting, {})) task();
      return std::unique_ptr<ports::Transport>(std::move(end));
    };
  }
  std::string peer() const override { return "simulated"; }

 private:
  Side& mine() { return connection_->sides[side_]; }

  std::shared_ptr<Connection> connection_;
  const size_t side_;
  bool closing_ = false;
  bool moved_ = false;
};

void Network::listen(std::vector<SimExecutor*> shards, Accept accept, size_t place) {
  places_[place] = {std::move(shards), std::move(accept)};
}

void Network::refuse(size_t place) {
  places_.erase(place);
}

std::shared_ptr<Network::Connection> Network::connect(SimExecutor& client, SimExecutor& server) {
  auto connection = std::make_shared<Connection>(scheduler_, random_.fork());
  connection->network = this;
  connection->latency_max = weather.latency_max;
  connection->sides[client_side].executor = &client;
  connection->sides[server_side].executor = &server;
  std::erase_if(connections_, [](const auto& old) { return old.expired(); });
  connections_.push_back(connection);
  return connection;
}

void Network::open(SimExecutor& client, std::function<void(std::unique_ptr<ports::Transport>)> done) {
  const auto when = scheduler_.now() + milliseconds(1) + random_.duration(weather.latency_max);
  if (places_.empty()) {
    client.post_at(when, [done = std::move(done)] { done(nullptr); });
    return;
  }
  auto chosen = places_.begin();
  if (places_.size() > 1) std::advance(chosen, random_.below(places_.size()));
  const auto& [shards, accept] = chosen->second;
  const auto shard = random_.below(shards.size());
  auto connection = connect(client, *shards[shard]);
  if (random_.chance(weather.slow_per_mille)) connection->bytes_per_second = random_.between(4'000, 64'000);
  if (random_.chance(weather.lost_welcome_per_mille)) {
    connection->sides[client_side].lost_from_frame = random_.between(1, 3);
    connection->tell_closed(client_side, when + random_.duration(seconds(2)), broken, "");
    connection->tell_closed(server_side, when + random_.duration(seconds(2)), broken, "");
  }
  // What was on its way is lost, and the client hears of it while the server may still be writing.
  const auto lose_from = [&](uint64_t frame) {
    auto& to_client = connection->sides[client_side];
    to_client.lost_from_frame = std::min(to_client.lost_from_frame.value_or(frame), frame);
    to_client.on_lost = [weak = std::weak_ptr(connection)] {
      const auto self = weak.lock();
      if (!self) return;
      const auto now = self->scheduler.now();
      self->tell_closed(client_side, now + self->random.duration(milliseconds(50)), broken, "");
      self->tell_closed(server_side, now + self->random.duration(seconds(5)), broken, "");
    };
  };
  if (random_.chance(weather.cut_early_per_mille)) lose_from(random_.between(2, 60));
  if (lose_welcome_of_.erase(&client.process()) > 0) lose_from(1);
  // The server's end exists first, as a listening socket's queue does; a frame cannot overtake it.
  connection->sides[server_side].arrives = when;
  shards[shard]->post_at(when, [take = accept, shard, connection] {
    take(shard, std::make_unique<End>(connection, server_side));
  });
  client.post_at(
      when, [connection, done = std::move(done)] { done(std::make_unique<End>(connection, client_side)); });
  if (random_.chance(weather.cut_per_mille)) {
    scheduler_.after(random_.duration(seconds(8)), [this, weak = std::weak_ptr(connection)] {
      if (auto living = weak.lock()) cut(living, milliseconds(50));
    });
  }
}

std::pair<std::unique_ptr<ports::Transport>, std::unique_ptr<ports::Transport>> Network::make_pair(
    SimExecutor& a, SimExecutor& b) {
  auto connection = connect(a, b);
  return {std::make_unique<End>(connection, client_side), std::make_unique<End>(connection, server_side)};
}

void Network::cut(const std::shared_ptr<Connection>& connection, nanoseconds within) {
  for (size_t i = 0; i < 2; ++i) {
    auto& side = connection->sides[i];
    const auto when = scheduler_.now() + random_.duration(within);
    if (!side.lost_from || *side.lost_from > when) side.lost_from = when;
    if (random_.chance(250)) continue;  // it will find out by what it misses
    connection->tell_closed(i, when + random_.duration(seconds(3)), broken, "");
  }
}

std::shared_ptr<Network::Connection> Network::living_one() {
  std::vector<std::shared_ptr<Connection>> living;
  for (const auto& weak : connections_) {
    auto connection = weak.lock();
    if (connection && connection->sides[0].open && connection->sides[1].open)
      living.push_back(std::move(connection));
  }
  return living.empty() ? nullptr : living[random_.below(living.size())];
}

void Network::cut_one() {
  if (auto living = living_one()) cut(living, milliseconds(50));
}

void Network::cut_half(nanoseconds duration) {
  const auto living = living_one();
  if (!living) return;
  const auto now = scheduler_.now();
  for (auto& side : living->sides) side.lost_from = std::min(side.lost_from.value_or(now), now);
  living->tell_closed(client_side, now, broken, "");
  living->tell_closed(server_side, now + duration, broken, "");
}

void Network::hold_one(nanoseconds duration) {
  if (auto living = living_one()) {
    auto& side = living->sides[client_side];
    side.arrives = std::max(side.arrives, scheduler_.now() + duration);
  }
}

void Network::late(const Process& client, nanoseconds duration) {
  for (const auto& weak : connections_) {
    const auto connection = weak.lock();
    if (!connection || &connection->sides[client_side].executor->process() != &client) continue;
    auto& to_client = connection->sides[client_side];
    auto& to_server = connection->sides[server_side];
    if (!to_client.open || !to_server.open) continue;
    to_server.arrives = std::max(to_server.arrives, scheduler_.now() + duration);
    const auto when = scheduler_.now() + random_.duration(duration / 2);
    to_client.lost_from = std::min(to_client.lost_from.value_or(when), when);
    connection->tell_closed(client_side, when, broken, "");
    connection->tell_closed(server_side, to_server.arrives + random_.duration(seconds(3)), broken, "");
  }
}

void Network::leave(const Process& client, nanoseconds after) {
  for (const auto& weak : connections_) {
    const auto connection = weak.lock();
    if (!connection || &connection->sides[client_side].executor->process() != &client) continue;
    auto& to_client = connection->sides[client_side];
    auto& to_server = connection->sides[server_side];
    if (!to_client.open || !to_server.open) continue;
    const auto when = scheduler_.now() + after;
    to_client.lost_from = std::min(to_client.lost_from.value_or(when), when);
    connection->tell_closed(client_side, when, broken, "");
    connection->tell_closed(server_side, std::max(to_server.arrives, when) + random_.duration(seconds(3)),
                            broken, "");
  }
}

void Network::lose_next_welcome() {
  const auto living = living_one();
  if (!living) return;
  const auto& client = living->sides[client_side].executor->process();
  lose_welcome_of_.insert(&client);
  leave(client, nanoseconds(1));
}

const Process* Network::server_of(const Process& client) const {
  for (const auto& weak : connections_) {
    const auto connection = weak.lock();
    if (connection && &connection->sides[client_side].executor->process() == &client &&
        connection->sides[client_side].open)
      return &connection->sides[server_side].executor->process();
  }
  return nullptr;
}

void Network::cut_all() {
  for (const auto& weak : connections_) {
    if (auto connection = weak.lock()) cut(connection, milliseconds(50));
  }
}

void Network::silence(const Process& process) {
  for (const auto& weak : connections_) {
    auto connection = weak.lock();
    if (!connection || &connection->sides[server_side].executor->process() != &process) continue;
    connection->sides[server_side].lost_from = scheduler_.now();
    // What has left the machine arrives; a good-bye never leaves it.
    auto& client = connection->sides[client_side];
    client.lost_from_frame = std::min(client.lost_from_frame.value_or(client.frames + 1), client.frames + 1);
    if (random_.chance(500)) {
      connection->tell_closed(client_side, scheduler_.now() + random_.duration(seconds(10)), broken, "");
    }
  }
}

}  // namespace tidings::sim
