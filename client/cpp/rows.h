// Single rows of the list of conversations, asked for between two syncs: what a conversation is that was
// heard of only now, or how many messages are unread where the client cannot count them. One thread; the
// caller passes the time in.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "ports/random.h"
#include "wire/frames.h"

namespace tidings::client {

class Rows {
 public:
  explicit Rows(ports::Random& random) : random_(random) {}

  void want(const model::ConversationId& conversation);
  bool wanted(const model::ConversationId& conversation) const { return wanted_.contains(conversation); }
  void disconnected();
  // What is not answered is asked again.
  void resumed();

  std::vector<wire::SyncFrame> due(base::MonotonicTime now, wire::Request& last_request);
  std::optional<base::MonotonicTime> next() const;
  // Whose row this answer has, or has not; nullopt if the request is none of these.
  std::optional<model::ConversationId> answered(wire::Request request);
  // False if the request is none of these.
  bool refused(const wire::ErrorFrame& error, base::MonotonicTime now);

 private:
  struct Asked {
    model::ConversationId conversation;
    base::MonotonicTime deadline{};
  };
  ports::Random& random_;
  std::set<model::ConversationId> wanted_;  // those in queue_ and in_flight_
  std::deque<model::ConversationId> queue_;
  std::map<wire::Request, Asked> in_flight_;
  base::MonotonicTime not_before_ = base::MonotonicTime::min();
  int refused_ = 0;
};

}  // namespace tidings::client
