#include "gateway/shared.h"

#include "gateway/session.h"

namespace tidings::gateway {

namespace {
constexpr base::nanoseconds still_max = base::seconds(10);
}  // namespace

Shared::Shared(Gateway::Parts p)
    : parts(std::move(p)),
      metrics(parts.metrics),
      sums(metrics),
      rates(parts.limits, parts.metrics, parts.gateways),
      links(parts.clock),
      people(links),
      focuses(links),
      pending(metrics.under_way),
      marks({parts.executor, parts.clock, parts.limits, metrics.marks_waiting, metrics.marks_dropped,
             [this](const MarkKey& key, model::Seq seq) { return hand_over_delivered(key, seq); }}),
      admission(parts.limits),
      parked(parts.limits, metrics.parked, metrics.parked_bytes),
      replaced(parts.limits, metrics.polls_replaced),
      last_tick(parts.clock.monotonic()) {
  // 0 stands for "nobody" in a record.
  while (gateway == 0) gateway = parts.random.u64();
  for (const auto& lineage : parts.lineages) branches.add(lineage);
}

Session* Shared::session(uint64_t number) {
  const auto found = sessions.find(number);
  return found == sessions.end() ? nullptr : found->second.get();
}

Connection* Shared::connection(uint64_t number) {
  const auto found = connections.find(number);
  return found == connections.end() ? nullptr : found->second.get();
}

Connection& Shared::add_connection(std::unique_ptr<ports::Transport> transport) {
  const uint64_t number = ++last_number;
  metrics.sessions.add(1);
  return *connections.emplace(number, std::make_unique<Connection>(*this, number, std::move(transport)))
              .first->second;
}

void Shared::begin_session(Connection& connection, const Greeting& greeting) {
  const uint64_t number = ++last_number;
  Session& session =
      *sessions.emplace(number, std::make_unique<Session>(*this, number, greeting.who, greeting.time))
           .first->second;
  session.begin(connection, greeting.hello);
}

void Shared::forget_connection_later(uint64_t number) {
  parts.executor.post([weak = std::weak_ptr(alive), this, number] {
    if (weak.expired() || connections.erase(number) == 0) return;
    metrics.sessions.add(-1);
    if (draining && connections.empty()) finish_drain();
  });
}

void Shared::forget_session_later(uint64_t number) {
  parts.executor.post([weak = std::weak_ptr(alive), this, number] {
    if (!weak.expired()) sessions.erase(number);
  });
}

void Shared::forget_parked() {
  while (const auto number = parked.overdue(now())) session(*number)->leave();
}

void Shared::forget_parked_above_limit() {
  while (parked.size() > parts.limits.parked_sessions_max || (parked.size() > 0 && parked.is_full(0)))
    session(*parked.longest())->leave();
}

void Shared::finish_drain() {
  if (drained) std::exchange(drained, base::Task())();
}

bool Shared::stood_still() const {
  return now() - last_tick > still_max;
}

void Shared::end_all(wire::Code code) {
  for (auto& [number, session] : sessions) session->end(code);
  for (auto& [number, connection] : connections) connection->end({code, ""});
}

void Shared::drop_connections() {
  const wire::Problem why{wire::Code::draining, "The server stood still; please send again."};
  for (auto& [number, session] : sessions) session->drop_connection(why);
  for (auto& [number, connection] : connections) connection->end(why);
}

Admission::Verdict Shared::admit(uint64_t number) {
  const auto verdict = admission.admit(number);
  if (verdict == Admission::Verdict::later) metrics.hellos_waiting.add(1);
  return verdict;
}

void Shared::hello_done() {
  admission.finished(now());
  while (const auto number = admission.next()) {
    metrics.hellos_waiting.add(-1);
    Connection* next = connection(*number);
    if (!next || !next->check()) admission.finished(now());
  }
}

uint64_t Shared::hello_retry_ms() {
  const auto spread = std::chrono::duration_cast<base::milliseconds>(2 * admission.backlog());
  return parts.random.below(static_cast<uint64_t>(spread.count()) + 1000);
}

base::WallTime Shared::until() const {
  return links.log_time() + std::chrono::duration_cast<base::milliseconds>(parts.limits.until_grace);
}

model::ReplyTo Shared::reply_to(uint64_t session, uint64_t request) const {
  return {gateway, session, request, false};
}

model::Command Shared::command(const account::Identity& who, Wanted wanted, base::WallTime until,
                               model::ReplyTo reply_to) const {
  return {
      who.user, who.device, reply_to, wanted.conversation, wanted.client_id, until, std::move(wanted.body)};
}

model::Command Shared::create_command(const account::Identity& who, model::UserId other,
                                      const model::ClientId& client_id, base::WallTime until,
                                      model::ReplyTo reply_to) const {
  return {who.user,
          who.device,
          reply_to,
          model::direct_conversation(who.user, other),
          client_id,
          until,
          model::CreateConversation{model::ConversationKind::direct, {who.user, other}}};
}

bool Shared::hand_over(std::vector<model::Command> commands) {
  const auto conversation = commands.front().conversation;
  return links.send(conversation, ports::Commands{std::move(commands)});
}

bool Shared::hand_over_delivered(const MarkKey& key, model::Seq seq) {
  const uint64_t number = pending.add(key);
  model::Marking marking;
  marking.user = key.user;
  marking.reply_to = reply_to(0, number);
  marking.conversation = key.conversation;
  marking.delivered = seq;
  if (links.send(key.conversation, ports::Mark{std::move(marking), std::nullopt})) return true;
  pending.take(number);
  return false;
}

void Shared::find_people(std::vector<model::UserId> users,
                         base::UniqueFunction<void(wire::Answer<bool>)> done) {
  const size_t count = users.size();
  parts.accounts.find_by_ids(std::move(users), parts.executor,
                             [weak = std::weak_ptr(alive), count, done = std::move(done)](
                                 wire::Answer<std::vector<account::Profile>> found) mutable {
                               if (weak.expired()) return;
                               if (!found) return done(base::fail(std::move(found.error())));
                               done(found->size() == count);
                             });
}

}  // namespace tidings::gateway
