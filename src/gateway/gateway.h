// A gateway shard: the sessions of one reactor and their links to every core shard. It turns frames and REST
// calls into Link frames and the answers back; it decides nothing about conversations. One executor; all
// calls on its thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "account/service.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "ports/clock.h"
#include "ports/link.h"
#include "ports/random.h"
#include "ports/transport.h"

namespace tidings::gateway {

// What a REST call may ask; answered like a session's request.
struct SendAnswer {
  model::ConversationId conversation;
  model::ClientId client_id;
  model::Seq seq;
  model::Ord ord;
  model::MessageId id;
  base::WallTime time{};
  bool duplicate = false;
};

// A device said a good hello at a gateway. Of two sessions of one device the later hello stays, at whichever
// gateways of the process they are; the order is total, so that never both go.
struct DeviceHello {
  model::DeviceId device;
  base::MonotonicTime time{};
  uint64_t gateway = 0, session = 0;
  friend auto operator<=>(const DeviceHello& a, const DeviceHello& b) {
    return std::tie(a.time, a.gateway, a.session) <=> std::tie(b.time, b.gateway, b.session);
  }
};

class Gateway : public ports::GatewayShard {
 public:
  struct Parts {
    base::Executor& executor;
    ports::Clock& clock;
    ports::Random& random;
    account::Service& accounts;
    const base::Limits& limits;
    base::Registry& metrics;
    std::string branch;  // newest lineage tag, in hex: `welcome.branch`
    // Told of every good hello here; the wiring posts it to on_device_hello() of the process's other
    // gateways. May be empty if there are none.
    std::function<void(const DeviceHello&)> announce = {};
  };
  explicit Gateway(Parts parts);
  ~Gateway() override;

  // This gateway's ReplyTo::gateway: random, new at each start.
  uint64_t id() const;
  // The links, one per core shard in order; call once before anything else. partition p belongs to shard p
  // mod count.
  void set_links(std::vector<ports::LinkToCore*> links);

  // A new connection: a session that owes its hello.
  void accept(std::unique_ptr<ports::Transport> transport);
  // Sends every session `draining` and lets it end; `done` once none is left or after 2 s. New ones are
  // closed at once.
  void drain(base::Task done);

  // Another gateway of this process announced it: an older session of that device here ends `replaced`; a
  // newer one is announced back, which ends the other.
  void on_device_hello(const DeviceHello& hello);

  void on_down(size_t core_shard, ports::DownBatch batch) override;

  // --- for REST: the same command path and Link frames, without a session. `done` is called once, here.
  // The other person must exist (checked in accounts): else not_found.
  void create_direct(const account::Identity& who, model::UserId other, model::ClientId client_id,
                     std::function<void(wire::Answer<SendAnswer>)> done);
  void send_message(const account::Identity& who, const model::ConversationId& conversation,
                    model::ClientId client_id, model::Message message,
                    std::function<void(wire::Answer<SendAnswer>)> done);
  void read_messages(const account::Identity& who, const model::ConversationId& conversation,
                     model::Seq after, size_t limit, std::function<void(wire::Answer<ports::Page>)> done);
  void is_member(model::UserId user, const model::ConversationId& conversation,
                 std::function<void(wire::Answer<bool>)> done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidings::gateway
