// Long-polls of REST: a session whose transport is a row of calls.
#include <utility>

#include "gateway/state.h"

namespace tidings::gateway {

namespace {
// Beyond Limits::poll_wait, for a shard that answers late.
constexpr base::nanoseconds late_max = base::seconds(10);
}  // namespace

void Gateway::poll(const account::Identity& who, PollCall call,
                   std::function<void(wire::Answer<std::string>)> done) {
  auto* state = state_.get();
  auto& shared = state->shared;
  if (shared.draining) return done(wire::problem(wire::Code::draining));
  if (shared.stood_still()) {
    shared.drop_connections();
    return done(wire::problem(wire::Code::busy));
  }
  const auto name = call.session ? parse_session_name(*call.session) : std::nullopt;
  const uint64_t there = name ? name->gateway : shared.gateway;
  const auto& at_gateway = shared.parts.at_gateway;
  if (there == shared.gateway || !at_gateway || !at_gateway(there, {})) {
    return state->poll_here(who, std::move(call),
                            [done = std::move(done)](std::string frames) { done(frames); });
  }
  if (state->polls_elsewhere.size() >= shared.parts.limits.polls_elsewhere_max)
    return done(wire::problem(wire::Code::busy));
  const uint64_t number = ++state->last_poll;
  state->polls_elsewhere.emplace(
      number, State::PollElsewhere{std::move(done), shared.now() + shared.parts.limits.poll_wait + late_max});
  // The call itself stays here: only numbers and texts go to the other thread and come back.
  at_gateway(there, [who, call = std::move(call), here = shared.gateway, number](Gateway& other) mutable {
    auto answer = [&other, here, number](std::string frames) {
      other.state_->shared.parts.at_gateway(here,
                                            [number, frames = std::move(frames)](Gateway& back) mutable {
                                              back.state_->answer_poll(number, std::move(frames));
                                            });
    };
    other.state_->poll_here(who, std::move(call), std::move(answer));
  });
}

void Gateway::State::answer_poll(uint64_t number, wire::Answer<std::string> frames) {
  const auto call = polls_elsewhere.extract(number);
  if (!call.empty()) call.mapped().done(std::move(frames));
}

void Gateway::State::poll_here(const account::Identity& who, PollCall call, Poll::Answer answer) {
  const auto name = call.session ? parse_session_name(*call.session) : std::nullopt;
  Session* session = name && name->gateway == shared.gateway ? shared.session(name->number) : nullptr;
  Connection* connection =
      session && session->is_open() && session->who().device == who.device ? session->connection() : nullptr;
  Poll* poll = connection ? connection->poll() : nullptr;
  // Elsewhere by now. To begin anew would end that one, whose client would do the same.
  if ((connection && !poll && !call.resume) ||
      (name && name->gateway == shared.gateway && shared.replaced.has(name->number, who.device))) {
    shared.metrics.refused(wire::Code::replaced).add();
    return answer("[" + wire::encode(wire::ErrorFrame{{}, wire::Code::replaced, "", {}, {}}) + "]");
  }
  if (poll && !(call.resume && session->may_have_lost_welcome(*call.resume))) {
    session->on_poll(call.received, call.frames);
    return poll->wait(std::move(answer));
  }
  auto transport = std::make_unique<Poll>(shared.parts.executor, shared.parts.limits, std::move(call.peer));
  poll = transport.get();
  poll->wait(std::move(answer));
  auto& begun = shared.add_connection(std::move(transport));
  begun.set_poll(poll);
  wire::Hello hello;
  hello.token = std::move(call.token);
  hello.session = std::move(call.session);
  hello.resume = std::move(call.resume);
  hello.received = call.received;
  begun.greet(std::move(hello));
  if (!call.frames.empty()) begun.on_frame(call.frames);
}

}  // namespace tidings::gateway
