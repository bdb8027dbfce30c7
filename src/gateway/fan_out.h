// Events of one batch from the core, told session by session instead of event by event: what a session keeps
// is fetched into the cache once for all events of a busy group. Each session hears everything in the order
// of the batch.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "gateway/frame.h"
#include "ports/link.h"

namespace tidings::gateway {

class Session;
struct Shared;

class FanOut {
 public:
  explicit FanOut(Shared& shared) : shared_(shared) {}

  // Waits for further events for the same people. `event` stays where it is until flush().
  void add(const ports::EventOut& event);
  // What waits for this session, which is about to hear something that stands behind it in the batch.
  void catch_up(Session& session);
  // Everything that waits, before something else is done and at the end of the batch.
  void flush();

 private:
  struct Waiting {
    const ports::EventOut* event;
    const Session* except;
    Frame frame;
  };
  void tell(Session& session, size_t from) const;

  Shared& shared_;
  std::vector<Waiting> waiting_;                     // for the same people
  std::unordered_map<const Session*, size_t> told_;  // how many of them; who is not in here has heard none
};

}  // namespace tidings::gateway
