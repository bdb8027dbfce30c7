#include "gateway/shared.h"

#include "gateway/session.h"

namespace tidings::gateway {

namespace {
constexpr base::nanoseconds still_max = base::seconds(10);
}  // namespace

Shared::Shared(Gateway::Parts p)
    : parts(std::move(p)),
      metrics(parts.metrics),
      links(parts.clock),
      people(links),
      pending(metrics.under_way),
      last_tick(parts.clock.monotonic()) {
  // 0 stands for "nobody" in a record.
  while (gateway == 0) gateway = parts.random.u64();
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

void Shared::find_person(model::UserId user, base::UniqueFunction<void(wire::Answer<bool>)> done) {
  parts.accounts.find_by_ids({user}, parts.executor,
                             [weak = std::weak_ptr(alive), done = std::move(done)](
                                 wire::Answer<std::vector<account::Profile>> found) mutable {
                               if (weak.expired()) return;
                               if (!found) return done(base::fail(std::move(found.error())));
                               done(!found->empty());
                             });
}

}  // namespace tidings::gateway
