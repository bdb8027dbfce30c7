// What the session's device has: its acks, its own marks, what its person looks at.
#include <algorithm>
#include <utility>

#include "gateway/asked.h"
#include "gateway/session.h"

namespace tidings::gateway {

void Session::on_received(uint64_t received) {
  if (received > ring_.newest()) {
    return refuse(std::nullopt, {wire::Code::bad_request, "received is above what was sent."});
  }
  if (received <= ring_.acked()) return;
  ring_.ack(received);
  if (connection_) progress_at_ = shared_.last_tick;
  mark_delivered(places_.acked(received));
  settle_dirty();
}

void Session::mark_delivered(const std::vector<Places::Delivered>& delivered) {
  for (const auto& [conversation, seq] : delivered) shared_.marks.delivered({who_.user, conversation}, seq);
}

void Session::on_request(const wire::MarkFrame& mark) {
  const auto refuse_asked = [&](const wire::Problem& problem) {
    // Who asked for no answer tells the mark again, with the next one or after the next welcome.
    if (mark.request) return refuse(mark.request, problem);
    shared_.metrics.refused(problem.code).add();
  };
  if (!mark.read && !mark.delivered) {
    return refuse_asked({wire::Code::bad_request, "Neither read nor delivered is there."});
  }
  if (marks_in_flight_ >= shared_.parts.limits.sends_in_flight_max) {
    return refuse_asked({wire::Code::busy, "Too many marks are unanswered."});
  }
  const uint64_t number = shared_.pending.add(SessionAsker{number_, SessionAsker::What::mark, mark.request});
  ports::Mark told = mark_of(mark, who_.user);
  told.marking.reply_to = shared_.reply_to(number_, number);
  if (shared_.links.send(mark.conversation, std::move(told))) {
    ++marks_in_flight_;
    return;
  }
  shared_.pending.take(number);
  refuse_asked({wire::Code::busy, ""});
}

void Session::answer_mark(const SessionAsker& asker, const ports::Reply& reply) {
  --marks_in_flight_;
  if (!asker.request) return;
  if (reply.error) return refuse(asker.request, {*reply.error, ""});
  send(
      wire::encode(wire::Ok{*asker.request, reply.conversation, reply.seq, reply.ord, reply.id, reply.time}));
}

void Session::on_request(const wire::FocusFrame& focus) {
  look_at(focus.conversation);
}

void Session::look_at(std::optional<model::ConversationId> conversation) {
  if (conversation == focus_) return;
  if (focus_) shared_.focuses.end(who_.user, *focus_);
  focus_ = conversation;
  if (focus_) shared_.focuses.begin(who_.user, *focus_);
}

}  // namespace tidings::gateway
