// How many messages of others one person has not seen in one conversation: the server's own count
// (protocol.md §8), carried on by the client from what a sync told and from the events since. Pure; no time,
// no I/O.
//
//   unread = ord − read_ord − own messages above read_ord
//
// Sending with nothing unread reads up to the sent one. Otherwise the own message is remembered, up to
// own_after_read_max; with one more, read_ord alone moves to the oldest of them.
#pragma once

#include <cstdint>
#include <deque>

#include "model/conversation.h"

namespace tidings::client {

inline constexpr size_t own_after_read_max = 64;

class Unread {
 public:
  // What a sync told, as of its head. `read` is one's own mark.
  void anchor(model::Seq head, model::Ord ord, model::Seq read, model::Ord read_ord, uint64_t unread);
  // The next event, in order; one that the anchor has in it already only tells which messages are one's own.
  void apply(const model::Event& event, model::UserId self);
  // One's own read mark stands at this event.
  void read(model::Seq seq, model::Ord ord);
  // Everything above the read mark is among `events`: who wrote what is taken from there.
  void recount(const std::deque<model::Event>& events, model::UserId self);

  uint64_t count() const;
  // count() is a guess: what would be needed to know was said before this client saw the conversation.
  bool unsure() const { return unsure_; }
  // How far one's own read mark is known to stand.
  model::Seq read_to() const { return read_; }
  // Everything up to this event is counted.
  model::Seq counted_to() const { return counted_to_; }

 private:
  struct Own {
    model::Seq seq;
    model::Ord ord;
  };
  void read_all(model::Seq seq);

  model::Seq counted_to_, read_;
  model::Ord ord_, read_ord_;
  model::Ord anchor_ord_;
  std::deque<Own> own_;   // above read_ord_, by seq
  uint64_t unknown_ = 0;  // own ones at or below anchor_ord_ of which only the number is known
  bool unsure_ = false;
};

}  // namespace tidings::client
