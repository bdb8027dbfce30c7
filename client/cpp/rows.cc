#include "client/cpp/rows.h"

#include <algorithm>

#include "client/cpp/backoff.h"

namespace tidings::client {

using base::MonotonicTime;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr base::nanoseconds answer_timeout = seconds(30);
constexpr base::nanoseconds retry_first = milliseconds(200);
constexpr base::nanoseconds retry_cap = seconds(20);
constexpr size_t in_flight_max = 2;

}  // namespace

void Rows::want(const model::ConversationId& conversation) {
  if (wanted_.insert(conversation).second) queue_.push_back(conversation);
}

void Rows::disconnected() {
  wanted_.clear();
  queue_.clear();
  in_flight_.clear();
  not_before_ = MonotonicTime::min();
  refused_ = 0;
}

void Rows::resumed() {
  for (const auto& [request, asked] : in_flight_) queue_.push_back(asked.conversation);
  in_flight_.clear();
}

std::vector<wire::SyncFrame> Rows::due(MonotonicTime now, wire::Request& last_request) {
  std::vector<wire::SyncFrame> frames;
  while (!in_flight_.empty() && in_flight_.begin()->second.deadline <= now) {
    queue_.push_back(in_flight_.extract(in_flight_.begin()).mapped().conversation);
  }
  while (!queue_.empty() && in_flight_.size() < in_flight_max && not_before_ <= now) {
    const model::ConversationId id = queue_.front();
    queue_.pop_front();
    in_flight_[++last_request] = {id, now + answer_timeout};
    frames.push_back({.request = last_request, .from = id, .to = id});
  }
  return frames;
}

std::optional<MonotonicTime> Rows::next() const {
  std::optional<MonotonicTime> next;
  if (!in_flight_.empty()) next = in_flight_.begin()->second.deadline;
  if (!queue_.empty() && in_flight_.size() < in_flight_max && (!next || not_before_ < *next))
    next = not_before_;
  return next;
}

std::optional<model::ConversationId> Rows::answered(wire::Request request) {
  const auto asked = in_flight_.extract(request);
  if (!asked) return std::nullopt;
  wanted_.erase(asked.mapped().conversation);
  refused_ = 0;
  return asked.mapped().conversation;
}

bool Rows::refused(const wire::ErrorFrame& error, MonotonicTime now) {
  const auto asked = in_flight_.extract(error.request.value_or(0));
  if (!asked) return false;
  queue_.push_back(asked.mapped().conversation);
  not_before_ = now + retry_wait(random_, error, retry_first, retry_cap, refused_++);
  return true;
}

}  // namespace tidings::client
