// A gateway shard: the sessions of one reactor and their links to every core shard. It turns frames and REST
// calls into Link frames and the answers back; it decides nothing about conversations. One executor; all
// calls on its thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "account/service.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "base/task.h"
#include "ports/clock.h"
#include "ports/link.h"
#include "ports/random.h"
#include "ports/transport.h"
#include "wire/frames.h"

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
// Any command but a send; `request` is not looked at.
using CommandFrame = std::variant<wire::ConversationCreate, wire::ConversationUpdate, wire::ConversationLeave,
                                  wire::MemberAdd, wire::MemberRemove, wire::MemberRole, wire::BlockFrame>;

// A device said a good hello at a gateway. Of two of one device that stays whose connection was opened later,
// at whichever gateways of the process they are: a hello may be late, and then its client has given that
// connection up. The order is total, so that never both go.
struct DeviceHello {
  model::DeviceId device;
  base::MonotonicTime time{};
  uint64_t gateway = 0, session = 0;
  friend auto operator<=>(const DeviceHello& a, const DeviceHello& b) {
    return std::tie(a.time, a.gateway, a.session) <=> std::tie(b.time, b.gateway, b.session);
  }
};

struct Greeting;
class Rates;

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
    // Runs the task at the gateway of that id, if it is one of this process; false if not. An empty task only
    // asks. May be empty if there are none.
    std::function<bool(uint64_t gateway, base::UniqueFunction<void(Gateway&)> task)> at_gateway = {};
    // Every beginning of the log's history that is known at the start, in order; on_lineage() tells of more.
    std::vector<model::Lineage> lineages = {};
    // Gateways of the process, which share what a process may do.
    size_t gateways = 1;
  };
  explicit Gateway(Parts parts);
  ~Gateway() override;

  // This gateway's ReplyTo::gateway: random, new at each start.
  uint64_t id() const;
  // The links, one per core shard in order; call once before anything else. partition p belongs to shard p
  // mod count.
  void set_links(std::vector<ports::LinkToCore*> links);
  // The log has one that was not known yet. A client of an unknown branch is told to sync in full, so one
  // that comes late costs work and nothing else; a restore or promotion must come before connections do.
  void on_lineage(const model::Lineage& lineage);
  // The core goes on from an older copy of its data: these are all its lineages now, and one that was known
  // is not among them. As after a restore, all sessions end.
  void on_other_history(const std::vector<model::Lineage>& lineages);
  // The core shard is gone, or another one stands in its place: whatever is under way to it is answered
  // `busy`, and its link refuses until there is a new one.
  void on_link_lost(size_t core_shard);
  // A new link to it stands: it is told who is here, and the sessions that they may have missed anything.
  void on_link_ready(size_t core_shard);
  // Of those devices that have a session here, with a connection or without: for gateways that did not hear
  // their hellos.
  std::vector<DeviceHello> device_hellos() const;

  // A new connection: it owes its hello.
  void accept(std::unique_ptr<ports::Transport> transport);
  // A connection that said its hello at another gateway of the process, for a session of this one.
  void adopt(ports::MovedTransport transport, std::unique_ptr<Greeting> greeting);
  // Asks every session to move within Limits::drain_window, then ends those that are left with `draining`;
  // `done` once no connection is, or 2 s later. New ones are closed at once, and no session is kept.
  void drain(base::Task done);
  // While draining: the window is over.
  void hurry();

  // One call of a long-poll (docs/protocol/connection.md): what its session is to be sent, as a JSON array of
  // frames, as soon as there is something. Without a session that goes on it begins one; whose session
  // another connection of the device has replaced is told so.
  struct PollCall {
    std::string token;
    std::optional<std::string> session, resume;
    std::optional<uint64_t> received;
    std::string frames;  // one, or an array; "": none
    std::string peer;    // the caller's address: a call that begins or takes over a session is a hello of it
  };
  void poll(const account::Identity& who, PollCall call, std::function<void(wire::Answer<std::string>)> done);

  // Another gateway of this process announced it: an older session of that device here ends `replaced`; a
  // newer one is announced back, which ends the other.
  void on_device_hello(const DeviceHello& hello);

  void on_down(size_t core_shard, ports::DownBatch batch) override;

  // --- for REST: the same command path and Link frames, without a session. `done` is called once, here; busy
  // if no answer came within 10 s.
  template <class T>
  using Done = std::function<void(wire::Answer<T>)>;
  const std::string& branch() const;
  // What a call costs is drawn by who takes it: request(), and call() or log_in(). Sends and commands are
  // drawn here.
  Rates& rates();

  // Whoever it names to be made a member or be blocked must exist (checked in accounts): else not_found.
  void command(const account::Identity& who, CommandFrame frame, Done<SendAnswer> done);
  void create_direct(const account::Identity& who, model::UserId other, model::ClientId client_id,
                     Done<SendAnswer> done);
  void send_message(const account::Identity& who, const model::ConversationId& conversation,
                    model::ClientId client_id, model::Message message, Done<SendAnswer> done);
  // Answered with the head; `mark.request` is not looked at.
  void mark(const account::Identity& who, const wire::MarkFrame& mark, Done<SendAnswer> done);

  void read_messages(const account::Identity& who, const model::ConversationId& conversation,
                     model::Seq after, size_t limit, Done<ports::Page> done);
  // As wire::HistoryFrame.
  void read_history(const account::Identity& who, const wire::HistoryFrame& history, Done<ports::Page> done);
  // The person's conversations from..to, at most `limit`; with `activity` those that changed since.
  void list(model::UserId user, const model::ConversationId& from, const model::ConversationId& to,
            std::optional<model::Position> activity, size_t limit, Done<ports::SyncRows> done);
  void members(model::UserId user, const model::ConversationId& conversation, model::UserId after,
               size_t limit, Done<ports::Members> done);
  // Who of the others has the event at `seq`.
  void reads(model::UserId user, const model::ConversationId& conversation, model::Seq seq,
             Done<std::vector<ports::ReadRow>> done);
  void blocks(model::UserId user, Done<std::vector<model::UserId>> done);
  void is_member(model::UserId user, const model::ConversationId& conversation, Done<bool> done);
  // The event stands there under that id, and the person may read it.
  void is_there(model::UserId user, const model::ConversationId& conversation, const model::Cursor& event,
                Done<bool> done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidings::gateway
