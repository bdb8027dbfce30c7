#include "gateway/gateway.h"

#include "base/log_line.h"
#include "gateway/session.h"

namespace tidings::gateway {

namespace {
constexpr base::nanoseconds tick = base::seconds(1);
constexpr base::nanoseconds drain_max = base::seconds(2);
constexpr base::nanoseconds rest_answer_max = base::seconds(10);
}  // namespace

struct Gateway::State {
  explicit State(Parts parts) : shared(std::move(parts)) {
    ticker = shared.parts.executor.after(tick, [this] { on_tick(); });
    shared.parts.accounts.on_revoked(
        shared.parts.executor, [alive = std::weak_ptr(shared.alive), s = &shared](model::DeviceId device) {
          Session* session = alive.expired() ? nullptr : s->people.with_device(device);
          if (session) session->end(wire::Code::device_revoked);
        });
  }
  ~State() {
    shared.parts.executor.cancel(ticker);
    shared.parts.executor.cancel(drain_timer);
    // Nothing posted may meet half a gateway.
    shared.alive.reset();
    shared.metrics.sessions.add(-static_cast<int64_t>(shared.sessions.size()));
    shared.sessions.clear();
  }

  void on_tick();
  void lost();
  void take(ports::Reply& reply);
  void take(ports::EventOut& event);
  void take(ports::PageOut& page);
  void take(ports::SyncOut& sync);
  void take(ports::MemberOut& member);
  base::MonotonicTime deadline() const { return shared.now() + rest_answer_max; }
  // False, and refused: this gateway takes no calls any more.
  template <class Done>
  bool takes_calls(Done& done) {
    if (shared.draining) done(wire::problem(wire::Code::draining));
    return !shared.draining;
  }
  void refuse_rest(uint64_t number, const wire::Problem& problem);

  Shared shared;
  base::TimerId ticker = 0;
  base::TimerId drain_timer = 0;
};

Gateway::Gateway(Parts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Gateway::~Gateway() = default;

uint64_t Gateway::id() const {
  return state_->shared.gateway;
}

void Gateway::set_links(std::vector<ports::LinkToCore*> links) {
  state_->shared.links.set(std::move(links));
}

void Gateway::accept(std::unique_ptr<ports::Transport> transport) {
  auto& shared = state_->shared;
  const uint64_t number = ++shared.last_session;
  auto session = std::make_unique<Session>(shared, number, std::move(transport));
  Session& here = *session;
  shared.sessions.emplace(number, std::move(session));
  shared.metrics.sessions.add(1);
  if (shared.draining) here.end(wire::Code::draining);
}

void Gateway::drain(base::Task done) {
  auto& state = *state_;
  state.shared.draining = true;
  state.shared.drained = std::move(done);
  state.shared.end_all("");
  state.drain_timer =
      state.shared.parts.executor.after(state.shared.sessions.empty() ? base::nanoseconds(0) : drain_max,
                                        [s = &state] { s->shared.finish_drain(); });
}

void Gateway::State::on_tick() {
  ticker = shared.parts.executor.after(tick, [this] { on_tick(); });
  if (shared.stood_still()) shared.end_all("The server stood still; please send again.");
  const auto now = shared.now();
  shared.last_tick = now;
  for (auto& [number, session] : shared.sessions) session->on_tick(now);
  for (auto& asker : shared.pending.take_overdue(now)) refuse(asker, wire::Code::busy);
  shared.people.settle();
}

void Gateway::on_device_hello(const DeviceHello& hello) {
  auto& shared = state_->shared;
  Session* session = shared.people.with_device(hello.device);
  if (!session) return;
  const DeviceHello own = session->device_hello();
  if (own < hello) return session->end(wire::Code::replaced);
  if (own > hello && shared.parts.announce) shared.parts.announce(own);
}

// --- down

void Gateway::on_down(size_t core_shard, ports::DownBatch batch) {
  auto& state = *state_;
  if (!state.shared.links.received(core_shard, batch)) state.lost();
  for (auto& frame : batch.frames) {
    std::visit([&](auto& f) { state.take(f); }, frame);
  }
}

// Answers or events are lost and nobody knows whose: everybody reconnects and syncs.
void Gateway::State::lost() {
  base::log_warning("gateway: a link lost frames; {} sessions are closed to reconnect",
                    shared.sessions.size());
  shared.metrics.link_gaps.add();
  shared.end_all("");
  shared.pending.forget_sessions();
  for (auto& asker : shared.pending.take_overdue(base::MonotonicTime::max())) refuse(asker, wire::Code::busy);
}

void Gateway::State::take(ports::Reply& reply) {
  if (reply.to.gateway != shared.gateway) return;
  if (reply.to.errors_only && !reply.error) return;
  auto asker = shared.pending.take(reply.to.request);
  if (!asker) return;
  if (auto* call = std::get_if<RestAsker>(&*asker)) {
    auto* done = std::get_if<std::function<void(wire::Answer<SendAnswer>)>>(&call->done);
    if (!done) return refuse(*call, wire::Code::internal);
    if (reply.error) return (*done)(wire::problem(*reply.error));
    return (*done)(SendAnswer{reply.conversation, reply.client_id, reply.seq, reply.ord, reply.id, reply.time,
                              reply.duplicate});
  }
  auto& ours = std::get<SessionAsker>(*asker);
  if (Session* session = shared.session(ours.session)) session->on_reply(ours, reply);
}

void Gateway::State::take(ports::EventOut& event) {
  Session* except = event.except_session == 0 ? nullptr : shared.session(event.except_session);
  for (const auto user : event.people) {
    for (Session* session : shared.people.sessions_of(user)) {
      if (session != except) session->send(event.bytes);
    }
  }
}

void Gateway::State::take(ports::PageOut& page) {
  auto asker = shared.pending.take(page.query);
  if (!asker) return;
  if (auto* call = std::get_if<RestAsker>(&*asker)) {
    auto* done = std::get_if<std::function<void(wire::Answer<ports::Page>)>>(&call->done);
    return done ? (*done)(std::move(page.page)) : refuse(*call, wire::Code::internal);
  }
  auto& ours = std::get<SessionAsker>(*asker);
  if (Session* session = shared.session(ours.session)) session->on_page(ours, page.page);
}

void Gateway::State::take(ports::SyncOut& sync) {
  auto* asker = shared.pending.find(sync.query);
  auto* ours = asker ? std::get_if<SessionAsker>(asker) : nullptr;
  if (!ours || !ours->sync || !ours->sync->add(std::move(sync.rows))) return;
  auto whole = shared.pending.take(sync.query);
  auto& complete = std::get<SessionAsker>(*whole);
  if (Session* session = shared.session(complete.session)) session->on_sync(complete, complete.sync->take());
}

void Gateway::State::take(ports::MemberOut& member) {
  auto asker = shared.pending.take(member.query);
  auto* call = asker ? std::get_if<RestAsker>(&*asker) : nullptr;
  if (!call) return;
  auto* done = std::get_if<std::function<void(wire::Answer<bool>)>>(&call->done);
  done ? (*done)(std::move(member.member)) : refuse(*call, wire::Code::internal);
}

// --- REST

void Gateway::State::refuse_rest(uint64_t number, const wire::Problem& problem) {
  auto asker = shared.pending.take(number);
  if (!asker) return;
  std::visit([&](auto& done) { done(base::fail(wire::Problem(problem))); }, std::get<RestAsker>(*asker).done);
}

void Gateway::create_direct(const account::Identity& who, model::UserId other, model::ClientId client_id,
                            std::function<void(wire::Answer<SendAnswer>)> done) {
  auto* state = state_.get();
  if (!state->takes_calls(done)) return;
  if (other == who.user)
    return done(wire::problem(wire::Code::bad_request, "A direct conversation has two people."));
  const uint64_t number = state->shared.pending.add(RestAsker{std::move(done)}, state->deadline());
  state->shared.find_person(other, [state, who, other, client_id, number](wire::Answer<bool> there) {
    auto& shared = state->shared;
    if (!there) return state->refuse_rest(number, there.error());
    if (!*there) return state->refuse_rest(number, {wire::Code::not_found, ""});
    // Given up meanwhile: it was answered, so it must not be appended.
    if (!shared.pending.find(number)) return;
    if (!shared.hand_over(
            {shared.create_command(who, other, client_id, shared.until(), shared.reply_to(0, number))})) {
      state->refuse_rest(number, {wire::Code::busy, ""});
    }
  });
}

void Gateway::send_message(const account::Identity& who, const model::ConversationId& conversation,
                           model::ClientId client_id, model::Message message,
                           std::function<void(wire::Answer<SendAnswer>)> done) {
  auto& shared = state_->shared;
  if (!state_->takes_calls(done)) return;
  if (message.text.empty()) return done(wire::problem(wire::Code::bad_request, "The text is empty."));
  if (message.text.size() > shared.parts.limits.text_bytes_max) {
    return done(wire::problem(wire::Code::too_large, "The text is longer than allowed."));
  }
  const uint64_t number = shared.pending.add(RestAsker{std::move(done)}, state_->deadline());
  if (!shared.hand_over({{who.user, who.device, shared.reply_to(0, number), conversation, client_id,
                          shared.until(), model::SendMessage{std::move(message), std::nullopt}}})) {
    state_->refuse_rest(number, {wire::Code::busy, ""});
  }
}

void Gateway::read_messages(const account::Identity& who, const model::ConversationId& conversation,
                            model::Seq after, size_t limit,
                            std::function<void(wire::Answer<ports::Page>)> done) {
  auto& shared = state_->shared;
  if (!state_->takes_calls(done)) return;
  const uint64_t number = shared.pending.add(RestAsker{std::move(done)}, state_->deadline());
  limit = std::min(limit, shared.parts.limits.page_events_max);
  if (!shared.links.send(conversation,
                         ports::Pull{number, who.user, conversation, after, std::nullopt, limit})) {
    state_->refuse_rest(number, {wire::Code::busy, ""});
  }
}

void Gateway::is_member(model::UserId user, const model::ConversationId& conversation,
                        std::function<void(wire::Answer<bool>)> done) {
  auto& shared = state_->shared;
  if (!state_->takes_calls(done)) return;
  const uint64_t number = shared.pending.add(RestAsker{std::move(done)}, state_->deadline());
  if (!shared.links.send(conversation, ports::AskMember{number, user, conversation})) {
    state_->refuse_rest(number, {wire::Code::busy, ""});
  }
}

}  // namespace tidings::gateway
