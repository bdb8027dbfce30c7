// Events of one batch from the core, told session by session instead of event by event: what a session keeps
// is fetched into the cache once for all events of a busy group. Each session hears everything in the order
// of the batch.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "gateway/audiences.h"
#include "gateway/frame.h"
#include "gateway/train.h"
#include "ports/link.h"

namespace tidings::gateway {

struct Shared;

class FanOut {
 public:
  explicit FanOut(Shared& shared);

  // Waits for further events for the same people. `event` stays where it is until flush().
  void add(const ports::EventOut& event);
  // What waits for this session, which is about to hear something that stands behind it in the batch.
  void catch_up(Session& session);
  // Everything that waits, before something else is done and at the end of the batch.
  void flush();
  // Groups of people whose sessions are remembered.
  size_t audiences() const { return audiences_.size(); }

 private:
  struct Waiting {
    const ports::EventOut* event;
    const Session* except;
    Frame frame;
  };
  void tell(Session& session, size_t from) const;
  // All that it was not told yet.
  void tell_rest(Session& session) const;
  void tell_train();

  Shared& shared_;
  Audiences audiences_;
  Train train_;  // of all that waits, while many are told
  size_t waiting_bytes_ = 0;
  std::vector<Waiting> waiting_;                     // for the same people
  std::unordered_map<const Session*, size_t> told_;  // how many of them; who is not in here has heard none
};

}  // namespace tidings::gateway
