// Direct conversations that are being opened: conversation.create frames that are written again until they
// are answered. One thread; the caller passes the time in.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "ports/random.h"
#include "wire/frames.h"

namespace tidings::client {

class Openings {
 public:
  using Done = std::function<void(wire::Answer<model::ConversationId>)>;
  struct Finished {
    Done done;
    wire::Answer<model::ConversationId> answer;
  };

  explicit Openings(ports::Random& random) : random_(random) {}

  void add(model::UserId other, const model::ClientId& client_id, Done done);
  void connected() { connected_ = true; }
  void disconnected();

  std::vector<wire::ConversationCreate> due(base::MonotonicTime now, uint64_t& last_request);
  // The answers of its requests; nullopt if the request is none of these, or if it is only put off.
  std::optional<Finished> accept(const wire::Ok& ok);
  std::optional<Finished> refuse(const wire::ErrorFrame& error, base::MonotonicTime now);
  std::optional<base::MonotonicTime> next() const;

 private:
  struct Opening {
    model::UserId other;
    model::ClientId client_id;
    Done done;
    wire::Request request = 0;                            // of the newest try
    base::MonotonicTime at = base::MonotonicTime::min();  // when to write it, or to write it again
    int refused = 0;
  };
  std::vector<Opening>::iterator find(wire::Request request);

  ports::Random& random_;
  std::vector<Opening> openings_;
  bool connected_ = false;
};

}  // namespace tidings::client
