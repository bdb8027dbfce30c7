#include "gateway/gateway.h"

#include "base/log_line.h"
#include "base/seed_bug.h"
#include "gateway/state.h"

namespace tidings::gateway {

namespace {
constexpr base::nanoseconds tick = base::seconds(1);
constexpr base::nanoseconds close_max = base::seconds(2);  // of connections at the end of a drain
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
  shared.metrics.sessions.add(-static_cast<int64_t>(shared.connections.size()));
  shared.metrics.hellos_waiting.add(-static_cast<int64_t>(shared.admission.waiting()));
  shared.connections.clear();
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
  auto& shared = state_->shared;
  // What sessions were told may not be this history: also if it begins below what a core had folded already.
  if (shared.branches.add(lineage) &&
      (lineage.reason != model::Lineage::Reason::start || lineage.base < shared.links.folded_below()))
    shared.end_all(wire::Code::draining);
  // They come in the order of the log.
  auto branch = branch_text(lineage);
  if (branch == shared.parts.branch) return;
  shared.parts.branch = std::move(branch);
  // Sessions that outlive the core's start hear all that follows under it.
  for (auto& [number, session] : shared.sessions) session->on_branch();
}

void Gateway::on_other_history(const std::vector<model::Lineage>& lineages) {
  auto& shared = state_->shared;
  shared.branches = {};
  for (const auto& lineage : lineages) on_lineage(lineage);
  shared.end_all(wire::Code::draining);
}

void Gateway::accept(std::unique_ptr<ports::Transport> transport) {
  auto& connection = state_->shared.add_connection(std::move(transport));
  if (state_->shared.draining) connection.end({wire::Code::draining, ""});
}

void Gateway::adopt(ports::MovedTransport transport, std::unique_ptr<Greeting> greeting) {
  auto& shared = state_->shared;
  auto& connection = shared.add_connection(transport(shared.parts.executor));
  connection.enter(std::move(greeting));
}

void Gateway::drain(base::Task done) {
  auto& shared = state_->shared;
  shared.draining = true;
  shared.drained = std::move(done);
  const auto window = shared.parts.limits.drain_window;
  const auto window_ms = std::chrono::duration_cast<base::milliseconds>(window).count();
  for (auto& [number, session] : shared.sessions) {
    if (!session->connection()) {
      session->leave();
    } else if (session->is_open()) {
      session->ask_to_move(shared.parts.random.below(static_cast<uint64_t>(window_ms) + 1));
    }
  }
  for (auto& [number, connection] : shared.connections) {
    if (!connection->has_session()) connection->end({wire::Code::draining, ""});
  }
  state_->drain_timer =
      shared.parts.executor.after(shared.connections.empty() ? base::nanoseconds(0) : window,
                                  [state = state_.get()] { state->end_drain(); });
}

void Gateway::hurry() {
  if (!state_->shared.draining || state_->window_over) return;
  state_->shared.parts.executor.cancel(state_->drain_timer);
  state_->end_drain();
}

void Gateway::State::end_drain() {
  window_over = true;
  shared.end_all(wire::Code::draining);
  drain_timer = shared.parts.executor.after(shared.connections.empty() ? base::nanoseconds(0) : close_max,
                                            [this] { shared.finish_drain(); });
}

void Gateway::State::on_tick() {
  ticker = shared.parts.executor.after(tick, [this] { on_tick(); });
  if (shared.stood_still()) shared.drop_connections();
  const auto now = shared.now();
  shared.last_tick = now;
  for (auto& [number, session] : shared.sessions) session->on_tick(now);
  for (auto& [number, connection] : shared.connections) connection->on_tick(now);
  shared.forget_parked();
  shared.replaced.settle(now);
  for (auto& asker : shared.pending.take_overdue(now)) refuse(asker, {wire::Code::busy, ""});
  while (!polls_elsewhere.empty() && polls_elsewhere.begin()->second.deadline <= now)
    answer_poll(polls_elsewhere.begin()->first, wire::problem(wire::Code::busy));
  shared.people.settle();
  // People first: a focus of somebody unknown is none.
  const bool told =
      std::erase_if(relinking, [&](size_t shard) { return shared.people.attach_all(shard); }) > 0;
  shared.focuses.settle();
  shared.rates.settle(now);
  if (told) tell_gap();
  sum_up();
}

void Gateway::State::sum_up() {
  Session::Holdings all;
  for (const auto& [number, session] : shared.sessions) all += session->holdings();
  size_t outbox_bytes = 0, polls = 0;
  for (const auto& [number, connection] : shared.connections) {
    outbox_bytes += connection->outbox_bytes();
    polls += connection->poll() && connection->poll()->waits();
  }
  auto& sums = shared.sums;
  sums.unacked_bytes.set(all.unacked_bytes);
  sums.dirty_conversations.set(all.dirty_conversations);
  sums.places.set(all.places);
  sums.unsettled.set(all.unsettled);
  sums.outbox_bytes.set(outbox_bytes);
  sums.polls_waiting.set(polls);
  sums.polls_elsewhere.set(polls_elsewhere.size());
  sums.hellos_in_flight.set(shared.admission.in_flight());
  sums.audiences.set(fan_out.audiences());
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
  if (!state.shared.links.received(core_shard, batch)) {
    state.shared.metrics.link_gaps.add();
    base::log_warning("gateway: a link lost frames; {} sessions are told to sync",
                      state.shared.sessions.size());
    state.refuse_under_way();
    if (!TIDINGS_SEED_BUG(9)) state.tell_gap();
  }
  for (auto& frame : batch.frames) {
    // An answer is heard behind the events that stand before it, by whoever asked.
    const bool asks_for_itself = std::holds_alternative<ports::EventOut>(frame) ||
                                 std::holds_alternative<ports::ReceiptOut>(frame) ||
                                 std::holds_alternative<ports::Reply>(frame);
    if (!asks_for_itself) state.fan_out.flush();
    std::visit([&](auto& f) { state.take(f); }, frame);
  }
  state.fan_out.flush();
}

void Gateway::State::refuse_under_way() {
  for (const auto& asker : shared.pending.take_all_but_rest()) {
    if (Session* session = shared.session(asker.session)) session->on_lost(asker);
  }
  shared.marks.lost();
  for (auto& asker : shared.pending.take_overdue(base::MonotonicTime::max()))
    refuse(asker, {wire::Code::busy, ""});
}

void Gateway::State::tell_gap() {
  for (auto& [number, session] : shared.sessions) session->on_gap();
}

std::vector<DeviceHello> Gateway::device_hellos() const {
  const auto& people = state_->shared.people;
  std::vector<DeviceHello> all;
  for (const auto device : people.devices()) all.push_back(people.with_device(device)->device_hello());
  return all;
}

void Gateway::on_link_lost(size_t core_shard) {
  auto& state = *state_;
  state.relinking.erase(core_shard);
  state.shared.links.reset(core_shard);
  state.shared.people.link_lost(core_shard);
  state.shared.focuses.link_lost(core_shard);
  state.refuse_under_way();
}

void Gateway::on_link_ready(size_t core_shard) {
  auto& state = *state_;
  if (state.shared.people.attach_all(core_shard)) {
    state.tell_gap();
  } else {
    state.relinking.insert(core_shard);
  }
  state.shared.focuses.settle();
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
  if (Session* session = shared.session(ours.session)) {
    fan_out.catch_up(*session);
    session->on_reply(ours, reply);
  }
  if (reply.durable != base::MonotonicTime())
    shared.metrics.durable_to_tick.observe(shared.now() - reply.durable);
}

void Gateway::State::take(ports::EventOut& event) {
  fan_out.add(event);
}

void Gateway::State::take(ports::ReceiptOut& receipt) {
  const Frame frame(receipt.bytes);
  for (const auto user : receipt.people) {
    for (Session* session = shared.people.sessions_of(user); session; session = session->next_of_person) {
      fan_out.catch_up(*session);
      session->on_receipt(receipt, frame);
    }
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
