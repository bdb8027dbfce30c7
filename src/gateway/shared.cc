#include "gateway/shared.h"

#include "gateway/session.h"

namespace tidings::gateway {

namespace {
constexpr base::nanoseconds still_max = base::seconds(10);
}  // namespace

Shared::Shared(Gateway::Parts p)
    : parts(std::move(p)),
      metrics(parts.metrics),
      rates(parts.limits, parts.metrics, parts.gateways),
      links(parts.clock),
      people(links),
      focuses(links),
      pending(metrics.under_way),
      marks({parts.executor, parts.clock, parts.limits, metrics.marks_waiting, metrics.marks_dropped,
             [this](const MarkKey& key, model::Seq seq) { return hand_over_delivered(key, seq); }}),
      last_tick(parts.clock.monotonic()) {
  // 0 stands for "nobody" in a record.
  while (gateway == 0) gateway = parts.random.u64();
  for (const auto& lineage : parts.lineages) branches.add(lineage);
}

Session* Shared::session(uint64_t number) {
  const auto found = sessions.find(number);
  return found == sessions.end() ? nullptr : found->second.get();
}

void Shared::forget(uint64_t number) {
  if (sessions.erase(number) == 0) return;
  metrics.sessions.add(-1);
  if (draining && sessions.empty()) finish_drain();
}

void Shared::finish_drain() {
  if (drained) std::exchange(drained, base::Task())();
}

bool Shared::stood_still() const {
  return now() - last_tick > still_max;
}

void Shared::end_all(const std::string& detail) {
  for (auto& [number, session] : sessions) session->end(wire::Code::draining, detail);
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
