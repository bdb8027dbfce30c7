// What REST asks: the same commands and Link frames as a session's, without a session.
#include <algorithm>

#include "gateway/asked.h"
#include "gateway/state.h"

namespace tidings::gateway {

using wire::Code;

namespace {
constexpr base::nanoseconds rest_answer_max = base::seconds(10);
}  // namespace

base::MonotonicTime Gateway::State::deadline() const {
  return shared.now() + rest_answer_max;
}

void Gateway::State::refuse_call(uint64_t number, const wire::Problem& problem) {
  auto asker = shared.pending.take(number);
  if (asker) refuse(std::get<RestAsker>(*asker), problem);
}

void Gateway::State::hand_over(const account::Identity& who, uint64_t number, Wanted wanted) {
  if (!shared.hand_over(
          {shared.command(who, std::move(wanted), shared.until(), shared.reply_to(0, number))})) {
    refuse_call(number, {Code::busy, ""});
  }
}

const std::string& Gateway::branch() const {
  return state_->shared.parts.branch;
}

Rates& Gateway::rates() {
  return state_->shared.rates;
}

void Gateway::command(const account::Identity& who, CommandFrame frame, Done<SendAnswer> done) {
  auto* state = state_.get();
  auto& shared = state->shared;
  if (!state->takes_calls(done)) return;
  auto wanted = std::visit([&](auto& f) { return want(shared.parts.limits, who.user, std::move(f)); }, frame);
  if (!wanted) return done(base::fail(std::move(wanted.error())));
  if (auto asked = shared.rates.command(who, *wanted, shared.now()); asked.refused)
    return done(base::fail(std::move(*asked.refused)));
  const uint64_t number = state->add(std::move(done));
  if (wanted->must_exist.empty()) return state->hand_over(who, number, std::move(*wanted));
  auto people = wanted->must_exist;
  shared.find_people(std::move(people),
                     [state, who, number, wanted = std::move(*wanted)](wire::Answer<bool> there) mutable {
                       if (!there) return state->refuse_call(number, there.error());
                       if (!*there) return state->refuse_call(number, {Code::not_found, ""});
                       // Given up meanwhile: it was answered, so it must not be appended.
                       if (!state->shared.pending.find(number)) return;
                       state->hand_over(who, number, std::move(wanted));
                     });
}

void Gateway::create_direct(const account::Identity& who, model::UserId other, model::ClientId client_id,
                            Done<SendAnswer> done) {
  wire::ConversationCreate create;
  create.client_id = client_id;
  create.members = {other};
  command(who, std::move(create), std::move(done));
}

void Gateway::send_message(const account::Identity& who, const model::ConversationId& conversation,
                           model::ClientId client_id, model::Message message, Done<SendAnswer> done) {
  if (!state_->takes_calls(done)) return;
  if (message.text.empty()) return done(wire::problem(Code::bad_request, "The text is empty."));
  if (message.text.size() > state_->shared.parts.limits.text_bytes_max) {
    return done(wire::problem(Code::too_large, "The text is longer than allowed."));
  }
  auto& shared = state_->shared;
  if (auto asked = shared.rates.send(who, shared.now()); asked.refused)
    return done(base::fail(std::move(*asked.refused)));
  state_->hand_over(who, state_->add(std::move(done)),
                    {conversation, client_id, model::SendMessage{std::move(message), std::nullopt}, {}});
}

void Gateway::mark(const account::Identity& who, const wire::MarkFrame& mark, Done<SendAnswer> done) {
  state_->ask(mark.conversation, std::move(done), [&](uint64_t number) {
    ports::Mark told = mark_of(mark, who.user);
    told.marking.reply_to = state_->shared.reply_to(0, number);
    return told;
  });
}

void Gateway::read_messages(const account::Identity& who, const model::ConversationId& conversation,
                            model::Seq after, size_t limit, Done<ports::Page> done) {
  limit = std::min(limit, state_->shared.parts.limits.page_events_max);
  state_->ask(conversation, std::move(done), [&](uint64_t number) {
    return ports::Pull{number, who.user, conversation, after, std::nullopt, limit};
  });
}

void Gateway::read_history(const account::Identity& who, const wire::HistoryFrame& history,
                           Done<ports::Page> done) {
  state_->ask(history.conversation, std::move(done), [&](uint64_t number) {
    return history_of(history, who.user, number, state_->shared.parts.limits);
  });
}

void Gateway::list(model::UserId user, const model::ConversationId& from, const model::ConversationId& to,
                   std::optional<model::Position> activity, size_t limit, Done<ports::SyncRows> done) {
  auto& shared = state_->shared;
  if (!state_->takes_calls(done)) return;
  limit = std::min(limit, shared.parts.limits.sync_rows_max);
  // One conversation has one owner.
  const bool one = from == to;
  const size_t first = one ? shared.links.shard_of(from) : 0;
  const size_t end = one ? first + 1 : shared.links.count();
  const uint64_t number =
      shared.pending.add(RestAsker{std::move(done), SyncGather(end - first, limit)}, state_->deadline());
  for (size_t shard = first; shard < end; ++shard) {
    if (!shared.links.send(shard, ports::Sync{number, user, from, to, {}, activity, limit})) {
      return state_->refuse_call(number, {Code::busy, ""});
    }
  }
}

void Gateway::members(model::UserId user, const model::ConversationId& conversation, model::UserId after,
                      size_t limit, Done<ports::Members> done) {
  state_->ask(conversation, std::move(done),
              [&](uint64_t number) { return ports::AskMembers{number, user, conversation, after, limit}; });
}

void Gateway::reads(model::UserId user, const model::ConversationId& conversation, model::Seq seq,
                    Done<std::vector<ports::ReadRow>> done) {
  state_->ask(conversation, std::move(done),
              [&](uint64_t number) { return ports::AskReads{number, user, conversation, seq}; });
}

void Gateway::blocks(model::UserId user, Done<std::vector<model::UserId>> done) {
  state_->ask(model::self_conversation(user), std::move(done),
              [&](uint64_t number) { return ports::AskBlocks{number, user}; });
}

void Gateway::is_member(model::UserId user, const model::ConversationId& conversation, Done<bool> done) {
  state_->ask(conversation, std::move(done),
              [&](uint64_t number) { return ports::AskMember{number, user, conversation}; });
}

void Gateway::is_there(model::UserId user, const model::ConversationId& conversation,
                       const model::Cursor& event, Done<bool> done) {
  state_->ask(conversation, std::move(done),
              [&](uint64_t number) { return ports::AskEvent{number, user, conversation, event}; });
}

}  // namespace tidings::gateway
