#include "client/cpp/marking.h"

#include <algorithm>
#include <utility>

#include "client/cpp/backoff.h"

namespace tidings::client {

using base::MonotonicTime;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr base::nanoseconds interval = seconds(1);
constexpr base::nanoseconds repeat_after = seconds(30);
constexpr base::nanoseconds retry_first = milliseconds(500);
constexpr base::nanoseconds retry_cap = seconds(30);
constexpr size_t in_flight_max = 4;

}  // namespace

bool Marking::ahead(const Entry& entry) const {
  return entry.read.event.seq > entry.told_read || entry.delivered > entry.told_delivered;
}

void Marking::wake(const model::ConversationId& id, Entry& entry, std::optional<MonotonicTime> at) {
  if (entry.at == at) return;
  if (entry.at) wakes_.erase({*entry.at, id});
  entry.at = at;
  if (at) wakes_.emplace(*at, id);
}

void Marking::land(Entry& entry) {
  if (entry.request != 0) in_flight_.erase(entry.request);
  entry.request = 0;
}

void Marking::settle(const model::ConversationId& id, Entry& entry, MonotonicTime now) {
  if (!ahead(entry) || entry.given_up) {
    land(entry);
    wake(id, entry, std::nullopt);
  } else if (!entry.at) {
    wake(id, entry, now + repeat_after);
  }
}

bool Marking::read(const model::ConversationId& id, const model::Cursor& event, model::Ord ord, bool hidden,
                   MonotonicTime now) {
  Entry& entry = entries_[id];
  if (event.seq <= entry.read.event.seq) return false;
  // What the server knows is kept, too: it may go back to a copy in which it does not know it.
  entry.read = {event, ord, hidden};
  if (event.seq <= entry.told_read) return false;
  if (entry.given_up) return true;
  const auto at = entry.sent ? std::max(now, *entry.sent + interval) : now;
  wake(id, entry, entry.at ? std::min(*entry.at, at) : at);
  return true;
}

void Marking::delivered(const model::ConversationId& id, model::Seq seq, bool derived, MonotonicTime now) {
  Entry& entry = entries_[id];
  if (seq <= entry.delivered) return;
  entry.delivered = seq;
  if (!ahead(entry) || entry.given_up) return;
  const auto at = derived ? now + repeat_after : std::max(now, entry.sent.value_or(now) + interval);
  wake(id, entry, entry.at ? std::min(*entry.at, at) : at);
}

void Marking::told(const model::ConversationId& id, model::Seq read, model::Seq delivered, bool exact,
                   MonotonicTime now) {
  Entry& entry = entries_[id];
  if (exact) entry.told_read = entry.told_delivered = {};
  entry.told_read = std::max(entry.told_read, read);
  entry.told_delivered = std::max({entry.told_delivered, delivered, entry.told_read});
  // Whom the server tells of a mark is a member, though a mark was refused to who had just been removed.
  entry.given_up = false;
  settle(id, entry, now);
}

void Marking::forget(const model::ConversationId& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  land(found->second);
  wake(id, found->second, std::nullopt);
  entries_.erase(found);
}

void Marking::ready(MonotonicTime now) {
  ready_ = true;
  for (auto& [id, entry] : entries_) {
    if (ahead(entry)) wake(id, entry, now);
  }
}

void Marking::disconnected() {
  ready_ = false;
  for (auto& [id, entry] : entries_) {
    land(entry);
    entry.given_up = false;
    entry.refused = 0;
    entry.sent.reset();
    wake(id, entry, std::nullopt);
  }
}

void Marking::resumed(MonotonicTime now) {
  for (const auto& [request, id] : std::exchange(in_flight_, {})) {
    Entry& entry = entries_.at(id);
    entry.request = 0;
    wake(id, entry, now);
  }
}

std::vector<wire::MarkFrame> Marking::due(MonotonicTime now, wire::Request& last_request) {
  std::vector<wire::MarkFrame> frames;
  while (ready_ && not_before_ <= now && !wakes_.empty() && wakes_.begin()->first <= now) {
    const model::ConversationId id = wakes_.begin()->second;
    Entry& entry = entries_.at(id);
    if (entry.request == 0 && in_flight_.size() >= in_flight_max) {
      // Answers that never came make room.
      const auto oldest = in_flight_.begin();
      Entry& waits = entries_.at(oldest->second);
      if (*waits.sent + repeat_after > now) break;
      land(waits);
    }
    land(entry);
    wire::MarkFrame frame{.request = ++last_request, .conversation = id};
    if (entry.read.event.seq > entry.told_read) {
      frame.read = entry.read.event;
      frame.read_ord = entry.read.ord;
      frame.hidden = entry.read.hidden;
    }
    if (entry.delivered > std::max(entry.told_delivered, entry.read.event.seq))
      frame.delivered = entry.delivered;
    entry.asked = frame.read ? entry.read : Read{};
    entry.asked_delivered = frame.delivered.value_or(model::Seq{});
    entry.request = last_request;
    entry.sent = now;
    in_flight_.emplace(entry.request, id);
    wake(id, entry, now + repeat_after);
    if (frame.read || frame.delivered) {
      frames.push_back(std::move(frame));
    } else {
      settle(id, entry, now);
    }
  }
  return frames;
}

std::optional<MonotonicTime> Marking::next() const {
  if (!ready_ || wakes_.empty()) return std::nullopt;
  const MonotonicTime first = std::max(wakes_.begin()->first, not_before_);
  if (in_flight_.size() < in_flight_max) return first;
  return std::max(first, *entries_.at(in_flight_.begin()->second).sent + repeat_after);
}

std::optional<model::ConversationId> Marking::accept(const wire::Ok& ok, MonotonicTime now) {
  const auto found = in_flight_.find(ok.request);
  if (found == in_flight_.end()) return std::nullopt;
  const model::ConversationId id = found->second;
  Entry& entry = entries_.at(id);
  land(entry);
  entry.refused = 0;
  // A mark above the server's head was ignored.
  const model::Seq read = entry.asked.event.seq <= ok.seq ? entry.asked.event.seq : model::Seq{};
  const model::Seq delivered = entry.asked_delivered <= ok.seq ? entry.asked_delivered : model::Seq{};
  told(id, read, delivered, false, now);
  return id;
}

std::optional<Marking::Refused> Marking::refuse(const wire::ErrorFrame& error, MonotonicTime now) {
  const auto found = in_flight_.find(error.request.value_or(0));
  if (found == in_flight_.end()) return std::nullopt;
  const model::ConversationId id = found->second;
  Entry& entry = entries_.at(id);
  land(entry);
  if (error.code == wire::Code::diverged || error.code == wire::Code::reset) return Refused{id};
  if (wire::row(error.code).retry == wire::Retry::as_is) {
    const auto wait = retry_wait(random_, error, retry_first, retry_cap, entry.refused++);
    wake(id, entry, now + std::max(interval, wait));
    if (error.code == wire::Code::rate_limited) not_before_ = std::max(not_before_, now + wait);
  } else {
    entry.given_up = true;
    wake(id, entry, std::nullopt);
  }
  return Refused{};
}

std::optional<Marking::Read> Marking::wanted(const model::ConversationId& id) const {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.read.event.seq.value == 0) return std::nullopt;
  return found->second.read;
}

bool Marking::wanted_is_ahead(const model::ConversationId& id) const {
  const auto found = entries_.find(id);
  return found != entries_.end() && found->second.read.event.seq > found->second.told_read;
}

}  // namespace tidings::client
