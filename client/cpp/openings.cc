#include "client/cpp/openings.h"

#include <algorithm>

#include "client/cpp/backoff.h"

namespace tidings::client {

using base::MonotonicTime;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr base::nanoseconds answer_timeout = seconds(10);
constexpr base::nanoseconds retry_first = milliseconds(200);
constexpr base::nanoseconds retry_cap = seconds(10);
constexpr size_t in_flight_max = 4;

}  // namespace

void Openings::add(model::UserId other, const model::ClientId& client_id, Done done) {
  openings_.push_back({.other = other, .client_id = client_id, .done = std::move(done)});
}

void Openings::disconnected() {
  connected_ = false;
  for (Opening& opening : openings_) {
    opening.request = 0;
    opening.at = MonotonicTime::min();
  }
}

std::vector<wire::ConversationCreate> Openings::due(MonotonicTime now, uint64_t& last_request) {
  std::vector<wire::ConversationCreate> frames;
  if (!connected_) return frames;
  for (size_t i = 0; i < std::min(openings_.size(), in_flight_max); ++i) {
    Opening& opening = openings_[i];
    if (opening.at > now) continue;
    opening.request = ++last_request;
    opening.at = now + answer_timeout;
    frames.push_back({.request = opening.request,
                      .client_id = opening.client_id,
                      .kind = model::ConversationKind::direct,
                      .members = {opening.other}});
  }
  return frames;
}

std::optional<Openings::Finished> Openings::accept(const wire::Ok& ok) {
  const auto opening = find(ok.request);
  if (opening == openings_.end()) return std::nullopt;
  Finished finished{std::move(opening->done), ok.conversation};
  openings_.erase(opening);
  return finished;
}

std::optional<Openings::Finished> Openings::refuse(const wire::ErrorFrame& error, MonotonicTime now) {
  const auto opening = find(error.request.value_or(0));
  if (opening == openings_.end()) return std::nullopt;
  if (wire::row(error.code).retry == wire::Retry::as_is) {
    opening->request = 0;
    opening->at = now + retry_wait(random_, error.retry_ms, retry_first, retry_cap, opening->refused++);
    return std::nullopt;
  }
  Finished finished{std::move(opening->done), wire::problem(error.code, error.message)};
  openings_.erase(opening);
  return finished;
}

std::optional<MonotonicTime> Openings::next() const {
  std::optional<MonotonicTime> next;
  if (!connected_) return next;
  for (size_t i = 0; i < std::min(openings_.size(), in_flight_max); ++i) {
    if (!next || openings_[i].at < *next) next = openings_[i].at;
  }
  return next;
}

std::vector<Openings::Opening>::iterator Openings::find(wire::Request request) {
  if (request == 0) return openings_.end();
  return std::find_if(openings_.begin(), openings_.end(),
                      [request](const Opening& opening) { return opening.request == request; });
}

}  // namespace tidings::client
