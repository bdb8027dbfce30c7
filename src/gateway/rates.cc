#include "gateway/rates.h"

#include <algorithm>

#include "account/log_in_pauses.h"

namespace tidings::gateway {

using base::MonotonicTime;

namespace {

// By then a conversation's bucket holds for all who wait.
constexpr uint64_t conversation_retry_ms = 1000;
// Of each kind in one turn of settle(), besides the two of each draw.
constexpr size_t settled_max = 1000;

uint64_t whole_ms(base::nanoseconds wait) {
  return static_cast<uint64_t>(std::chrono::ceil<base::milliseconds>(wait).count());
}

base::Rate part_of(base::Rate rate, size_t parts) {
  if (!rate.limited()) return rate;
  rate.count = std::max<size_t>(1, rate.count / parts);
  rate.burst = std::max<size_t>(1, rate.burst / parts);
  return rate;
}

Rates::Asked asked(std::string_view policy, const base::Rate& rate, const base::Drawn& drawn,
                   base::Counter& refused) {
  Rates::Asked asked{{}, {policy, rate, drawn}};
  if (drawn.taken) return asked;
  refused.add();
  asked.refused = wire::Problem{wire::Code::rate_limited, "", std::max<uint64_t>(1, whole_ms(drawn.wait))};
  return asked;
}

base::Counter& refused_counter(base::Registry& metrics, std::string_view bucket) {
  return metrics.counter("tidings_gateway_rate_limited_total{bucket=\"" + std::string(bucket) + "\"}",
                         "Requests refused because this kind of bucket was empty.");
}

}  // namespace

template <class Key>
struct Rates::Bucket {
  Bucket(std::string_view policy, const base::Rate& rate, size_t max, base::Registry& metrics)
      : name(policy),
        buckets(rate, max,
                metrics.gauge("tidings_gateway_rate_buckets{bucket=\"" + std::string(policy) + "\"}",
                              "Buckets of this kind that are not full.")),
        refused(refused_counter(metrics, policy)) {}

  Asked draw(const Key& key, MonotonicTime now, size_t cost = 1) {
    return asked(name, buckets.rate(), buckets.draw(key, now, cost), refused);
  }

  const std::string_view name;
  base::TokenBuckets<Key> buckets;
  base::Counter& refused;
};

struct Rates::Buckets {
  Buckets(const base::Limits& limits, base::Registry& metrics, size_t gateways)
      : sends("sends", limits.person_sends, limits.rate_buckets_max, metrics),
        groups("groups", limits.person_groups, limits.rate_buckets_max, metrics),
        additions("additions", limits.person_additions, limits.rate_buckets_max, metrics),
        requests("requests", limits.device_requests, limits.rate_buckets_max, metrics),
        hellos("hellos", limits.address_hellos, limits.rate_buckets_max, metrics),
        log_ins("log_ins", limits.address_log_ins, limits.rate_buckets_max, metrics),
        calls("calls", limits.address_calls, limits.rate_buckets_max, metrics),
        process_rate(part_of(limits.process_requests, gateways)),
        process_refused(refused_counter(metrics, "process")) {}

  Bucket<model::UserId> sends, groups, additions;
  Bucket<model::DeviceId> requests;
  Bucket<std::string> hellos, log_ins, calls;
  const base::Rate process_rate;
  base::TokenBucket process;
  base::Counter& process_refused;
};

Rates::Rates(const base::Limits& limits, base::Registry& metrics, size_t gateways)
    : buckets_(std::make_unique<Buckets>(limits, metrics, gateways)) {}
Rates::~Rates() = default;

Rates::Asked Rates::request(const account::Identity& who, MonotonicTime now) {
  auto& b = *buckets_;
  Asked own = b.requests.draw(who.device, now);
  if (own.refused) return own;
  Asked all = asked("process", b.process_rate, b.process.draw(b.process_rate, now), b.process_refused);
  return all.refused ? all : own;
}

Rates::Asked Rates::send(const account::Identity& who, MonotonicTime now) {
  return buckets_->sends.draw(who.user, now);
}

Budget Rates::sends_after_one(const account::Identity& who, MonotonicTime now) const {
  const auto& sends = buckets_->sends;
  return {sends.name, sends.buckets.rate(), sends.buckets.look(who.user, now)};
}

Rates::Asked Rates::command(const account::Identity& who, const Wanted& wanted, MonotonicTime now) {
  auto& b = *buckets_;
  size_t people = 0;
  if (const auto* create = std::get_if<model::CreateConversation>(&wanted.body)) {
    if (create->kind != model::ConversationKind::group) return {};
    if (Asked group = b.groups.draw(who.user, now); group.refused) return group;
    people = create->members.size() - 1;
  } else if (const auto* add = std::get_if<model::AddMembers>(&wanted.body)) {
    people = add->users.size();
  }
  return people == 0 ? Asked() : b.additions.draw(who.user, now, people);
}

namespace {

template <class Bucket>
Rates::Asked draw_address(Bucket& bucket, const std::string& address, MonotonicTime now) {
  if (!bucket.buckets.rate().limited()) return {};
  const std::string block = account::address_block(address);
  return block.empty() ? Rates::Asked() : bucket.draw(block, now);
}

}  // namespace

Rates::Asked Rates::hello(const std::string& address, MonotonicTime now) {
  return draw_address(buckets_->hellos, address, now);
}

Rates::Asked Rates::call(const std::string& address, MonotonicTime now) {
  return draw_address(buckets_->calls, address, now);
}

Rates::Asked Rates::log_in(const std::string& address, MonotonicTime now) {
  return draw_address(buckets_->log_ins, address, now);
}

void Rates::settle(MonotonicTime now) {
  auto& b = *buckets_;
  for (auto* people : {&b.sends, &b.groups, &b.additions}) people->buckets.settle(now, settled_max);
  b.requests.buckets.settle(now, settled_max);
  for (auto* addresses : {&b.hellos, &b.log_ins, &b.calls}) addresses->buckets.settle(now, settled_max);
}

wire::Problem refused_by_core(wire::Code code) {
  return {code, "", code == wire::Code::rate_limited ? conversation_retry_ms : 0};
}

}  // namespace tidings::gateway
