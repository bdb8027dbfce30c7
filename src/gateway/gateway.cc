#include "gateway/gateway.h"

#include "base/log_line.h"
#include "gateway/state.h"

namespace tidings::gateway {

namespace {
constexpr base::nanoseconds tick = base::seconds(1);
constexpr base::nanoseconds drain_max = base::seconds(2);
}  // namespace

Gateway::State::State(Parts p) : shared(std::move(p)) {
  ticker = shared.parts.executor.after(tick, [this] { on_tick(); });
  shared.parts.accounts.on_revoked(
      shared.parts.executor, [alive = std::weak_ptr(shared.alive), s = &shared](model::DeviceId device) {
        Session* session = alive.expired() ? nullptr : s->people.with_device(device);
        if (session) session->end(wire::Code::device_revoked);
      });
}

Gateway::State::~State() {
  shared.parts.executor.cancel(ticker);
  shared.parts.executor.cancel(drain_timer);
  // Nothing posted may meet half a gateway.
  shared.alive.reset();
  shared.metrics.sessions.add(-static_cast<int64_t>(shared.sessions.size()));
  shared.sessions.clear();
}

Gateway::Gateway(Parts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Gateway::~Gateway() = default;

uint64_t Gateway::id() const {
  return state_->shared.gateway;
}

void Gateway::set_links(std::vector<ports::LinkToCore*> links) {
  state_->shared.links.set(std::move(links));
}

void Gateway::on_lineage(const model::Lineage& lineage) {
  state_->shared.branches.add(lineage);
  // They come in the order of the log.
  state_->shared.parts.branch = branch_text(lineage);
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
  for (auto& asker : shared.pending.take_overdue(now)) refuse(asker, {wire::Code::busy, ""});
  shared.people.settle();
  shared.focuses.settle();
  shared.rates.settle(now);
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
  shared.pending.forget_all_but_rest();
  shared.marks.lost();
  for (auto& asker : shared.pending.take_overdue(base::MonotonicTime::max()))
    refuse(asker, {wire::Code::busy, ""});
}

void Gateway::on_link_lost(size_t core_shard) {
  auto& state = *state_;
  state.shared.links.reset(core_shard);
  state.shared.people.link_lost(core_shard);
  state.lost();
}

void Gateway::on_link_ready(size_t core_shard) {
  auto& state = *state_;
  if (!state.shared.people.attach_all(core_shard)) state.lost();
}

namespace {

// To the call that waits for a T.
template <class T>
void answer(RestAsker& call, wire::Answer<T> answer) {
  auto* done = std::get_if<RestAsker::Done<T>>(&call.done);
  done ? (*done)(std::move(answer)) : refuse(call, {wire::Code::internal, ""});
}

}  // namespace

void Gateway::State::take(ports::Reply& reply) {
  if (reply.to.gateway != shared.gateway) return;
  if (reply.to.errors_only && !reply.error) return;
  auto asker = shared.pending.take(reply.to.request);
  if (!asker) return;
  if (const auto* mark = std::get_if<MarkKey>(&*asker)) return shared.marks.answered(*mark, reply.error);
  if (auto* call = std::get_if<RestAsker>(&*asker)) {
    if (reply.error) return refuse(*call, refused_by_core(*reply.error));
    return answer<SendAnswer>(*call, SendAnswer{reply.conversation, reply.client_id, reply.seq, reply.ord,
                                                reply.id, reply.time, reply.duplicate});
  }
  auto& ours = std::get<SessionAsker>(*asker);
  if (Session* session = shared.session(ours.session)) session->on_reply(ours, reply);
  if (reply.durable != base::MonotonicTime())
    shared.metrics.durable_to_tick.observe(shared.now() - reply.durable);
}

void Gateway::State::take(ports::EventOut& event) {
  Session* except = event.except_session == 0 ? nullptr : shared.session(event.except_session);
  for (const auto user : event.people) {
    for (Session* session : shared.people.sessions_of(user)) {
      if (session != except) session->on_event(event);
    }
  }
  if (event.folded != base::MonotonicTime())
    shared.metrics.tick_to_delivered.observe(shared.now() - event.folded);
}

void Gateway::State::take(ports::ReceiptOut& receipt) {
  for (const auto user : receipt.people) {
    for (Session* session : shared.people.sessions_of(user)) session->on_receipt(receipt);
  }
}

void Gateway::State::take(ports::PageOut& page) {
  auto asker = shared.pending.take(page.query);
  if (!asker) return;
  if (auto* call = std::get_if<RestAsker>(&*asker)) return answer(*call, std::move(page.page));
  const auto* ours = std::get_if<SessionAsker>(&*asker);
  Session* session = ours ? shared.session(ours->session) : nullptr;
  if (session) session->on_page(*ours, page.page);
}

void Gateway::State::take(ports::SyncOut& sync) {
  auto* asker = shared.pending.find(sync.query);
  if (!asker) return;
  std::optional<SyncGather>* gather = nullptr;
  if (auto* session = std::get_if<SessionAsker>(asker)) gather = &session->sync;
  if (auto* call = std::get_if<RestAsker>(asker)) gather = &call->sync;
  if (!gather || !*gather || !(*gather)->add(std::move(sync.rows))) return;
  auto whole = shared.pending.take(sync.query);
  if (auto* call = std::get_if<RestAsker>(&*whole)) return answer(*call, call->sync->take());
  auto& ours = std::get<SessionAsker>(*whole);
  if (Session* session = shared.session(ours.session)) session->on_sync(ours, ours.sync->take());
}

void Gateway::State::take(ports::MemberOut& member) {
  auto asker = shared.pending.take(member.query);
  if (auto* call = asker ? std::get_if<RestAsker>(&*asker) : nullptr) answer(*call, std::move(member.member));
}

void Gateway::State::take(ports::MembersOut& members) {
  auto asker = shared.pending.take(members.query);
  if (auto* call = asker ? std::get_if<RestAsker>(&*asker) : nullptr)
    answer(*call, std::move(members.members));
}

void Gateway::State::take(ports::ReadsOut& reads) {
  auto asker = shared.pending.take(reads.query);
  if (auto* call = asker ? std::get_if<RestAsker>(&*asker) : nullptr) answer(*call, std::move(reads.rows));
}

void Gateway::State::take(ports::BlocksOut& blocks) {
  auto asker = shared.pending.take(blocks.query);
  if (auto* call = asker ? std::get_if<RestAsker>(&*asker) : nullptr) answer(*call, std::move(blocks.users));
}

void Gateway::State::take(ports::EventThereOut& there) {
  auto asker = shared.pending.take(there.query);
  if (!asker) return;
  if (auto* call = std::get_if<RestAsker>(&*asker)) return answer(*call, std::move(there.there));
  const auto* ours = std::get_if<SessionAsker>(&*asker);
  Session* session = ours ? shared.session(ours->session) : nullptr;
  if (session) session->on_newest(there.there);
}

}  // namespace tidings::gateway
