#include "client/cpp/histories.h"

#include <algorithm>
#include <set>

#include "client/cpp/backoff.h"

namespace tidings::client {

using base::MonotonicTime;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr base::nanoseconds answer_timeout = seconds(30);
constexpr base::nanoseconds retry_first = milliseconds(200);
constexpr base::nanoseconds retry_cap = seconds(10);
constexpr size_t in_flight_max = 2;

}  // namespace

bool Histories::add(Wish wish) {
  if (asked_.size() >= histories_max) return false;
  asked_.push_back({.wish = std::move(wish)});
  return true;
}

std::vector<wire::HistoryFrame> Histories::due(
    MonotonicTime now, wire::Request& last_request,
    const std::function<std::optional<wire::HistoryFrame>(const Wish&)>& frame, std::vector<Wish>& needless) {
  std::vector<wire::HistoryFrame> frames;
  std::set<model::ConversationId> taken;
  for (auto one = asked_.begin(); one != asked_.end() && taken.size() < in_flight_max;) {
    if (!taken.insert(one->wish.conversation).second || one->at > now) {
      ++one;
      continue;
    }
    if (auto made = frame(one->wish)) {
      one->request = made->request = ++last_request;
      one->at = now + answer_timeout;
      frames.push_back(std::move(*made));
      ++one;
    } else {
      taken.erase(one->wish.conversation);
      needless.push_back(std::move(one->wish));
      one = asked_.erase(one);
    }
  }
  return frames;
}

std::optional<MonotonicTime> Histories::next() const {
  std::optional<MonotonicTime> next;
  std::set<model::ConversationId> taken;
  for (const Asked& one : asked_) {
    if (taken.size() == in_flight_max) break;
    if (!taken.insert(one.wish.conversation).second) continue;
    if (!next || one.at < *next) next = one.at;
  }
  return next;
}

void Histories::disconnected() {
  for (Asked& one : asked_) {
    one.request = 0;
    one.at = MonotonicTime::min();
  }
}

void Histories::resumed() {
  for (Asked& one : asked_) {
    if (one.request != 0) one.at = MonotonicTime::min();
  }
}

std::optional<Histories::Wish> Histories::answered(wire::Request request) {
  const auto one = find(request);
  if (one == asked_.end()) return std::nullopt;
  Wish wish = std::move(one->wish);
  asked_.erase(one);
  return wish;
}

std::optional<Histories::Wish> Histories::refused(const wire::ErrorFrame& error, MonotonicTime now,
                                                  bool& ours) {
  const auto one = find(error.request.value_or(0));
  ours = one != asked_.end();
  if (!ours) return std::nullopt;
  if (wire::row(error.code).retry == wire::Retry::as_is) {
    one->request = 0;
    one->at = now + retry_wait(random_, error, retry_first, retry_cap, one->refused++);
    return std::nullopt;
  }
  return answered(one->request);
}

std::vector<Histories::Wish> Histories::drop(const model::ConversationId& conversation) {
  std::vector<Wish> out;
  for (auto one = asked_.begin(); one != asked_.end();) {
    if (one->wish.conversation == conversation) {
      out.push_back(std::move(one->wish));
      one = asked_.erase(one);
    } else {
      ++one;
    }
  }
  return out;
}

bool Histories::waits() const {
  return std::any_of(asked_.begin(), asked_.end(), [](const Asked& one) { return one.request != 0; });
}

std::list<Histories::Asked>::iterator Histories::find(wire::Request request) {
  if (request == 0) return asked_.end();
  return std::find_if(asked_.begin(), asked_.end(),
                      [request](const Asked& one) { return one.request == request; });
}

}  // namespace tidings::client
