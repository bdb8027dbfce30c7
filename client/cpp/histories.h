// Older events that somebody asked for: `history` frames, one at a time for each conversation, asked again
// until they are answered. One thread; the caller passes the time in.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <optional>
#include <vector>

#include "ports/random.h"
#include "wire/frames.h"

namespace tidings::client {

// What a history brought.
struct Older {
  size_t events = 0;     // that were not held before
  bool earlier = false;  // there may be still older ones
};

inline constexpr size_t histories_max = 64;  // asked for and not answered; further ones are answered `busy`

class Histories {
 public:
  using Done = std::function<void(wire::Answer<Older>)>;
  struct Wish {
    model::ConversationId conversation;
    model::Seq before;  // down from here
    uint64_t limit = 0;
    Done done;
  };

  explicit Histories(ports::Random& random) : random_(random) {}

  [[nodiscard]] bool add(Wish wish);
  // Writes what is due. `frame` makes the frame of a wish, without its request; nullopt: it needs none any
  // more.
  std::vector<wire::HistoryFrame> due(
      base::MonotonicTime now, wire::Request& last_request,
      const std::function<std::optional<wire::HistoryFrame>(const Wish&)>& frame,
      std::vector<Wish>& needless);
  std::optional<base::MonotonicTime> next() const;
  void disconnected();
  // What is not answered is asked again.
  void resumed();

  // The wish that this request carried, which is over; nullopt if it is none of these.
  std::optional<Wish> answered(wire::Request request);
  // The same for a refusal; the wish stays if it is only put off. `ours`: the request is one of these.
  std::optional<Wish> refused(const wire::ErrorFrame& error, base::MonotonicTime now, bool& ours);
  // All those of a conversation are over.
  std::vector<Wish> drop(const model::ConversationId& conversation);
  bool waits() const;

 private:
  struct Asked {
    Wish wish;
    wire::Request request = 0;
    base::MonotonicTime at = base::MonotonicTime::min();
    int refused = 0;
  };
  std::list<Asked>::iterator find(wire::Request request);

  ports::Random& random_;
  std::list<Asked> asked_;
};

}  // namespace tidings::client
