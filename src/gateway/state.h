// What is inside a gateway. gateway.cc holds its life and what comes down from the core, rest.cc what REST
// asks.
#pragma once

#include <map>
#include <set>

#include "gateway/fan_out.h"
#include "gateway/poll.h"
#include "gateway/session.h"

namespace tidings::gateway {

struct Gateway::State {
  explicit State(Parts parts);
  ~State();

  void on_tick();
  // Tells the gauges what there is.
  void sum_up();
  // Answers of the core are lost, and nobody knows which.
  void refuse_under_way();
  void tell_gap();
  // The drain's window is over.
  void end_drain();
  // A call for a session here, or for a new one.
  void poll_here(const account::Identity& who, PollCall call, Poll::Answer answer);
  void answer_poll(uint64_t number, wire::Answer<std::string> frames);

  // --- from the core
  void take(ports::Reply& reply);
  void take(ports::EventOut& event);
  void take(ports::ReceiptOut& receipt);
  void take(ports::PageOut& page);
  void take(ports::SyncOut& sync);
  void take(ports::MemberOut& member);
  void take(ports::MembersOut& members);
  void take(ports::ReadsOut& reads);
  void take(ports::BlocksOut& blocks);
  void take(ports::EventThereOut& there);

  // --- REST. False, and refused: this gateway takes no calls any more.
  template <class T>
  bool takes_calls(Done<T>& done) {
    if (shared.draining) done(wire::problem(wire::Code::draining));
    return !shared.draining;
  }
  template <class T>
  uint64_t add(Done<T> done) {
    return shared.pending.add(RestAsker{std::move(done)}, deadline());
  }
  base::MonotonicTime deadline() const;
  void refuse_call(uint64_t number, const wire::Problem& problem);
  void hand_over(const account::Identity& who, uint64_t number, Wanted wanted);
  // One question to one shard; `question` makes it from its number.
  template <class T, class Question>
  void ask(const model::ConversationId& conversation, Done<T> done, Question question) {
    if (!takes_calls(done)) return;
    const uint64_t number = add(std::move(done));
    if (!shared.links.send(conversation, question(number))) refuse_call(number, {wire::Code::busy, ""});
  }

  Shared shared;
  FanOut fan_out{shared};
  base::TimerId ticker = 0;
  base::TimerId drain_timer = 0;
  bool window_over = false;    // of a drain
  std::set<size_t> relinking;  // core shards whose new link was not told everybody yet
  // Calls of this shard whose session is at another gateway of the process, by number.
  struct PollElsewhere {
    std::function<void(wire::Answer<std::string>)> done;
    base::MonotonicTime deadline;
  };
  std::map<uint64_t, PollElsewhere> polls_elsewhere;
  uint64_t last_poll = 0;
};

}  // namespace tidings::gateway
