// Commands that are no messages: groups are made and changed, people blocked. Each has one client id, and is
// written again under it until it is answered; those of one conversation one after another, in their order.
// A server that answers slowly is asked more and more seldom, and what it grants an earlier try counts, too.
// In memory only. One thread; the caller passes the time in.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <variant>
#include <vector>

#include "client/cpp/client_ids.h"
#include "ports/random.h"
#include "wire/frames.h"

namespace tidings::client {

inline constexpr size_t commands_max = 1024;  // that wait for an answer; further ones are answered `busy`

class Commands {
 public:
  using Frame = std::variant<wire::ConversationCreate, wire::ConversationUpdate, wire::ConversationLeave,
                             wire::MemberAdd, wire::MemberRemove, wire::MemberRole, wire::BlockFrame>;
  using Done = std::function<void(wire::Answer<wire::Ok>)>;
  struct Finished {
    Done done;
    wire::Answer<wire::Ok> answer;
  };

  Commands(ClientIds& ids, ports::Random& random) : ids_(ids), random_(random) {}

  // Mints the client id. False if there are too many: `done` was not taken.
  [[nodiscard]] bool add(Frame frame, const Done& done);
  // A new session: whatever is not answered is written again.
  void connected();
  void paused() { connected_ = false; }
  // The same session goes on: the same, and answers to what was written before are still good.
  void resumed();

  std::vector<Frame> due(base::MonotonicTime now, uint64_t& last_request);
  // The answers of its requests; nullopt if the request is none of these, or if it is only put off.
  std::optional<Finished> accept(const wire::Ok& ok);
  std::optional<Finished> refuse(const wire::ErrorFrame& error, base::MonotonicTime now);
  std::optional<base::MonotonicTime> next() const;
  size_t size() const { return commands_.size(); }

 private:
  struct Command {
    Frame frame;
    model::ConversationId turn;  // those of the same wait for each other; zeros: waits for nobody
    Done done;
    std::vector<wire::Request> requests = {};             // of the newest tries that may be answered yet
    base::MonotonicTime at = base::MonotonicTime::min();  // when to write it, or to write it again
    int refused = 0;
  };
  using Place = std::list<Command>::iterator;
  Place find(wire::Request request);

  ClientIds& ids_;
  ports::Random& random_;
  std::list<Command> commands_;
  bool connected_ = false;
};

}  // namespace tidings::client
