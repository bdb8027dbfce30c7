#include "client/cpp/outbox.h"

#include <algorithm>

#include "base/seed_bug.h"
#include "client/cpp/backoff.h"

namespace tidings::client {

using base::MonotonicTime;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr base::nanoseconds answer_timeout = seconds(10);
// After `until` (30 s) and the margin of a slow path nothing that was written can be accepted any more.
constexpr base::nanoseconds attempt_open = seconds(35);
constexpr base::nanoseconds retry_first = milliseconds(100);
constexpr base::nanoseconds retry_cap = seconds(10);
// So long one conversation that is too fast keeps the others waiting, because it may be all of them.
constexpr base::nanoseconds quiet_max = seconds(2);
constexpr int window_grows_after = 4;

}  // namespace

base::Status Outbox::load(MonotonicTime now) {
  if (loaded_) return {};
  auto messages = store_.load();
  if (!messages) return base::fail(messages.error());
  for (OutboxMessage& message : *messages) {
    if (!index_.emplace(message.client_id, message.conversation).second) continue;
    last_order_ = std::max(last_order_, message.order);
    ids_.seen(message.client_id);
    auto& queue = queues_[message.conversation];
    queue.push_back({.message = std::move(message), .open = {{0, now}}});
  }
  loaded_ = true;
  changed_ = true;
  return {};
}

base::Status Outbox::add(OutboxMessage message) {
  message.order = last_order_ + 1;
  if (auto put = store_.put(message); !put) return put;
  ++last_order_;
  index_[message.client_id] = message.conversation;
  queues_[message.conversation].push_back({.message = std::move(message)});
  changed_ = true;
  return {};
}

void Outbox::put_back(const model::ConversationId& conversation, std::vector<OutboxMessage> lost) {
  std::erase_if(lost, [this](const OutboxMessage& message) { return index_.contains(message.client_id); });
  if (lost.empty()) return;
  auto& queue = queues_[conversation];
  // They go in front without touching what waits there: a crash between two puts must leave every message in
  // its place.
  uint64_t order = queue.empty() ? last_order_ + 1 : queue.front().message.order - lost.size();
  auto place = queue.begin();
  for (OutboxMessage& message : lost) {
    message.order = order++;
    index_[message.client_id] = conversation;
    // A store that fails here costs only what a crash before the tick would lose of them: they are sent all
    // the same.
    (void)store_.put(message);
    place = std::next(queue.insert(place, {.message = std::move(message)}));
  }
  last_order_ = std::max(last_order_, order - 1);
  changed_ = true;
}

void Outbox::connected(size_t in_flight_max) {
  resumed();
  unanswered_.clear();
  in_flight_max_ = std::max<size_t>(1, in_flight_max);
}

void Outbox::resumed() {
  in_flight_.clear();
  for (auto& [conversation, queue] : queues_) {
    for (Entry& entry : queue) entry.in_flight = 0;
  }
  connected_ = true;
  changed_ = true;
}

std::vector<wire::MessageSend> Outbox::due(MonotonicTime now, uint64_t& last_request,
                                           const std::function<Route(const model::ConversationId&)>& route) {
  for (auto flight = in_flight_.begin(); flight != in_flight_.end();) {
    if (flight->second.deadline > now) {
      ++flight;
      continue;
    }
    if (Entry* entry = find(flight->second.client_id); entry && entry->in_flight == flight->first) {
      entry->in_flight = 0;
    }
    flight = in_flight_.erase(flight);
    changed_ = true;
  }
  if (!wakes_.empty() && *wakes_.begin() <= now) {
    wakes_.erase(wakes_.begin(), wakes_.upper_bound(now));
    changed_ = true;
  }
  std::vector<wire::MessageSend> frames;
  if (!connected_ || !changed_ || now < quiet_until_) return frames;
  changed_ = false;
  const size_t flights_max = std::min(in_flight_max_, window_);

  auto at = queues_.lower_bound(turn_);
  for (size_t left = queues_.size(); left > 0; --left, ++at) {
    if (at == queues_.end()) at = queues_.begin();
    if (in_flight_.size() >= flights_max) {
      turn_ = at->first;
      return frames;
    }
    auto& [conversation, queue] = *at;
    const Route way = route(conversation);
    if (!way.open) continue;
    for (size_t i = 0; i < queue.size() && in_flight_.size() < flights_max; ++i) {
      Entry& entry = queue[i];
      if (entry.in_flight != 0) continue;
      // What stands behind it may not overtake it.
      if (entry.refusal || entry.retry_at > now) break;
      wire::MessageSend frame{
          .request = ++last_request, .client_id = entry.message.client_id, .message = entry.message.message};
      if (way.to) {
        frame.to = way.to;
      } else {
        frame.conversation = conversation;
      }
      if (i > 0) frame.previous = queue[i - 1].message.client_id;
      prune(entry, now);
      entry.open.push_back({frame.request, now});
      entry.in_flight = frame.request;
      in_flight_[frame.request] = {frame.client_id, now + answer_timeout};
      unanswered_[frame.request] = frame.client_id;
      frames.push_back(std::move(frame));
    }
  }
  return frames;
}

std::optional<OutboxMessage> Outbox::accept(model::ClientId client_id) {
  Entry* entry = find(client_id);
  if (!entry) return std::nullopt;
  OutboxMessage message = std::move(entry->message);
  message.client_id = client_id;
  land(*entry);
  erase(client_id);
  (void)store_.remove(client_id);
  if (++accepted_ % window_grows_after == 0) window_ = std::min(2 * window_, window_max);
  changed_ = true;
  return message;
}

const OutboxMessage* Outbox::find(wire::Request request) const {
  const auto client_id = unanswered_.find(request);
  if (client_id == unanswered_.end()) return nullptr;
  const Entry* entry = const_cast<Outbox*>(this)->find(client_id->second);
  return entry ? &entry->message : nullptr;
}

void Outbox::refuse(const wire::ErrorFrame& error, MonotonicTime now) {
  if (!error.request) return;
  // `busy` leaves open what becomes of the attempt (protocol.md §2: a load that failed is tried again).
  Entry* entry = answered(*error.request, error.code != wire::Code::busy);
  if (!entry || entry->refusal) return;
  entry->lacks_previous = error.code == wire::Code::order;
  if (wire::row(error.code).retry == wire::Retry::as_is) {
    const int tries = entry->tries_refused++;
    // The missing one is on its way again, or no longer named: no need to wait.
    const bool at_once = error.code == wire::Code::order && tries == 0;
    const auto wait =
        at_once ? base::nanoseconds(0) : retry_wait(random_, error, retry_first, retry_cap, tries);
    retry(*entry, now + wait);
    if (error.code == wire::Code::rate_limited) slow_down(now + std::min(wait, quiet_max));
    return;
  }
  entry->refusal = wire::Problem{error.code, error.message};
  refused_.push_back(entry->message.client_id);
  wakes_.insert(now);
}

void Outbox::reroute(wire::Request request, MonotonicTime now) {
  if (Entry* entry = answered(request, true)) retry(*entry, now);
}

std::vector<Outbox::Ended> Outbox::ended(MonotonicTime now) {
  std::vector<Ended> out;
  for (const model::ClientId& client_id : std::exchange(refused_, {})) {
    Entry* entry = find(client_id);
    if (!entry || !entry->refusal) continue;  // an ok or the own event came after all
    prune(*entry, now);
    if (!entry->open.empty() && !TIDINGS_SEED_BUG(26)) {
      refused_.push_back(client_id);
      MonotonicTime closes = MonotonicTime::min();
      for (const Attempt& attempt : entry->open) closes = std::max(closes, attempt.written + attempt_open);
      if (wakes_.find(closes) == wakes_.end()) wakes_.insert(closes);
      continue;
    }
    changed_ = true;
    Ended end{entry->message, *entry->refusal, std::nullopt};
    if (entry->refusal->code == wire::Code::client_id_ahead) {
      OutboxMessage renamed = entry->message;
      renamed.client_id = ids_.mint();
      // Not renamed before the store has it: a crash would bring the message back under both ids.
      if (!store_.replace(client_id, renamed)) {
        refused_.push_back(client_id);
        wakes_.insert(now + retry_cap);
        continue;
      }
      index_.erase(client_id);
      index_[renamed.client_id] = renamed.conversation;
      end.renamed = renamed.client_id;
      entry->message = std::move(renamed);
      entry->refusal.reset();
      retry(*entry, now + full_jitter(random_, retry_first, retry_cap, entry->tries_refused++));
    } else {
      land(*entry);
      erase(client_id);
      (void)store_.remove(client_id);
    }
    out.push_back(std::move(end));
  }
  return out;
}

std::optional<MonotonicTime> Outbox::next() const {
  std::optional<MonotonicTime> next;
  if (!wakes_.empty()) next = *wakes_.begin();
  // Deadlines grow with the request number.
  if (connected_ && !in_flight_.empty() && (!next || in_flight_.begin()->second.deadline < *next)) {
    next = in_flight_.begin()->second.deadline;
  }
  return next;
}

Outbox::Entry* Outbox::find(const model::ClientId& client_id) {
  const auto conversation = index_.find(client_id);
  if (conversation == index_.end()) return nullptr;
  auto& queue = queues_.at(conversation->second);
  const auto entry = std::find_if(queue.begin(), queue.end(),
                                  [&](const Entry& e) { return e.message.client_id == client_id; });
  return entry == queue.end() ? nullptr : &*entry;
}

// Forgets the attempts that nothing can come of any more.
void Outbox::prune(Entry& entry, MonotonicTime now) {
  std::erase_if(entry.open, [&](const Attempt& attempt) {
    if (attempt.written + attempt_open > now) return false;
    unanswered_.erase(attempt.request);
    return true;
  });
}

void Outbox::land(Entry& entry) {
  if (entry.in_flight != 0) in_flight_.erase(entry.in_flight);
  entry.in_flight = 0;
  for (const Attempt& attempt : entry.open) unanswered_.erase(attempt.request);
}

void Outbox::erase(const model::ClientId& client_id) {
  const auto conversation = index_.find(client_id);
  if (conversation == index_.end()) return;
  const auto queue = queues_.find(conversation->second);
  // accept() has moved the message out, but not its client id. It is mostly the first; behind it may be a
  // hundred thousand.
  const auto entry =
      std::ranges::find(queue->second, client_id, [](const Entry& e) { return e.message.client_id; });
  if (entry != queue->second.end()) {
    const auto behind = queue->second.erase(entry);
    // What it waited for is there, or will not come: hundreds behind one that was given up do not wait in
    // turn.
    if (behind != queue->second.end() && std::exchange(behind->lacks_previous, false)) {
      behind->retry_at = MonotonicTime::min();
      behind->tries_refused = 0;
    }
  }
  if (queue->second.empty()) queues_.erase(queue);
  index_.erase(conversation);
}

// One at a time from then on, and more again while they are accepted.
void Outbox::slow_down(MonotonicTime until) {
  window_ = 1;
  accepted_ = 0;
  quiet_until_ = std::max(quiet_until_, until);
  wakes_.insert(until);
}

void Outbox::retry(Entry& entry, MonotonicTime at) {
  entry.retry_at = at;
  wakes_.insert(at);
  changed_ = true;
}

Outbox::Entry* Outbox::answered(wire::Request request, bool final_answer) {
  const auto found = unanswered_.find(request);
  if (found == unanswered_.end()) return nullptr;
  const model::ClientId client_id = found->second;
  unanswered_.erase(found);
  in_flight_.erase(request);
  changed_ = true;
  Entry* entry = find(client_id);
  if (!entry) return nullptr;
  if (entry->in_flight == request) entry->in_flight = 0;
  if (final_answer) {
    std::erase_if(entry->open, [request](const Attempt& attempt) { return attempt.request == request; });
  }
  return entry;
}

}  // namespace tidings::client
