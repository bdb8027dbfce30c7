#include <algorithm>

#include "client/cpp/alarm.h"
#include "client/cpp/backoff.h"
#include "client/cpp/timelines.h"

namespace tidings::client {

using base::MonotonicTime;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr base::nanoseconds gap_wait = milliseconds(200);
// As long as nothing comes at all; what comes shows that the answer is still queued behind it.
constexpr base::nanoseconds answer_timeout = seconds(30);
constexpr base::nanoseconds answer_timeout_max = seconds(60);
constexpr size_t late_max = 16;
constexpr base::nanoseconds retry_first = milliseconds(200);
constexpr base::nanoseconds retry_cap = seconds(20);

}  // namespace

void Timelines::heard(MonotonicTime now) {
  for (auto& [request, pull] : in_flight_) {
    pull.deadline = std::max(pull.deadline, std::min(now + answer_timeout, pull.asked + answer_timeout_max));
  }
  if (sync_request_ != 0) {
    sync_at_ = std::max(sync_at_, std::min(now + answer_timeout, sync_asked_ + answer_timeout_max));
  }
}

std::optional<Timelines::InFlight> Timelines::answered(wire::Request request) {
  for (auto* requests : {&in_flight_, &late_}) {
    if (auto pull = requests->extract(request)) return pull.mapped();
  }
  return std::nullopt;
}

void Timelines::forget_requests(const model::ConversationId& id) {
  for (auto* requests : {&in_flight_, &late_}) {
    std::erase_if(*requests, [&](const auto& pull) { return pull.second.conversation == id; });
  }
}

bool Timelines::refused(const wire::ErrorFrame& error, MonotonicTime now) {
  if (!error.request) return true;
  // It is not this conversation alone.
  if (error.code == wire::Code::rate_limited)
    read_at_ = std::max(read_at_, now + retry_wait(random_, error, retry_first, retry_cap, 0));
  if (*error.request == sync_request_) {
    sync_request_ = 0;
    sync_at_ = now + retry_wait(random_, error, retry_first, retry_cap, sync_refused_++);
    return true;
  }
  if (rows_.refused(error, now)) return true;
  if (const auto refused = marking_.refuse(error, now)) {
    if (refused->diverged) reset(conversations_.at(*refused->diverged), now);
    return true;
  }
  bool ours = false;
  if (const auto wish = histories_.refused(error, now, ours)) {
    answer(*wish, wire::problem(error.code, error.message));
    const auto found = conversations_.find(wish->conversation);
    if (error.code == wire::Code::diverged && found != conversations_.end()) reset(found->second, now);
  }
  if (ours) return true;
  const bool late = late_.contains(*error.request);
  const auto pull = answered(*error.request);
  if (!pull || late) return true;  // the pull that was asked instead will say the same
  Conversation& conversation = conversations_.at(pull->conversation);
  const model::Seq after = pull->after;
  conversation.pull = Pull::none;
  switch (error.code) {
    case wire::Code::diverged:
    case wire::Code::reset:
      if (after.value == 0) return false;
      reset(conversation, now);
      break;
    case wire::Code::not_member:
      ended(conversation);
      break;
    case wire::Code::not_found:
    case wire::Code::forbidden:
    case wire::Code::banned:
      forget_gone(conversation);
      break;
    default:
      try_later(conversation, error.retry_ms, now);
  }
  return true;
}

void Timelines::pull_again(MonotonicTime now) {
  Conversation& conversation = conversations_.at(in_flight_.begin()->second.conversation);
  late_.insert(in_flight_.extract(in_flight_.begin()));
  if (late_.size() > late_max) late_.erase(late_.begin());
  conversation.pull = Pull::none;
  want_pull(conversation, now, {});
}

std::vector<wire::ClientFrame> Timelines::due(MonotonicTime now) {
  std::vector<wire::ClientFrame> frames;
  if (!connected_) return frames;
  if (syncing_) {
    if (sync_at_ > now) return frames;
    sync_request_ = ++last_request_;
    sync_asked_ = now;
    sync_at_ = now + answer_timeout;
    frames.push_back(sync_.frame(sync_request_));
    return frames;
  }
  while (!in_flight_.empty() && in_flight_.begin()->second.deadline <= now) pull_again(now);
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    const model::ConversationId id = wakes_.extract(wakes_.begin()).mapped();
    Conversation& conversation = conversations_.at(id);
    if (conversation.pull != Pull::waits || conversation.pull_at > now) continue;
    conversation.pull = Pull::none;
    if (conversation.timeline.behind() || conversation.dirty || unsettled_.contains(id))
      want_pull(conversation, now, {});
  }
  while (!queue_.empty() && in_flight_.size() < pulls_max_ && read_at_ <= now) {
    const model::ConversationId id = queue_.front();
    queue_.pop_front();
    Conversation& conversation = conversations_.at(id);
    if (conversation.pull != Pull::queued) continue;
    conversation.pull = Pull::in_flight;
    const model::Seq after = conversation.timeline.view().have.seq;
    in_flight_[++last_request_] = {id, after, now, now + answer_timeout};
    frames.push_back(wire::PullFrame{.request = last_request_,
                                     .conversation = id,
                                     .after = after,
                                     .check = conversation.timeline.check()});
  }
  ask(frames, now);
  return frames;
}

std::optional<MonotonicTime> Timelines::next() const {
  if (!connected_) return std::nullopt;
  if (syncing_) return sync_at_;
  std::optional<MonotonicTime> next;
  if (!in_flight_.empty()) next = in_flight_.begin()->second.deadline;
  if (!wakes_.empty() && (!next || wakes_.begin()->first < *next)) next = wakes_.begin()->first;
  auto read = earlier(rows_.next(), histories_.next());
  if (!queue_.empty() && in_flight_.size() < pulls_max_) read = read_at_;
  if (read) read = std::max(*read, read_at_);
  return earlier(earlier(next, read), marking_.next());
}

void Timelines::look_for_gap(Conversation& conversation, MonotonicTime now) {
  if (!syncing_ && conversation.timeline.behind()) want_pull(conversation, now, gap_wait);
}

void Timelines::want_pull(Conversation& conversation, MonotonicTime now, base::nanoseconds delay) {
  if (conversation.pull == Pull::queued || conversation.pull == Pull::in_flight) return;
  const model::ConversationId& id = conversation.timeline.view().conversation;
  // What it is stands in an event that this person may not be allowed to read: the list tells it, too.
  const bool unheard = conversation.timeline.empty() && conversation.timeline.view().told_to.value == 0 &&
                       !conversation.recovering && id != own_log_;
  if ((unheard || begins_at_head(conversation)) && conversation.timeline.view().head.value != 1)
    return rows_.want(id);
  if (delay <= base::nanoseconds(0)) {
    conversation.pull = Pull::queued;
    queue_.push_back(id);
  } else if (conversation.pull == Pull::none) {
    conversation.pull = Pull::waits;
    conversation.pull_at = now + delay;
    wakes_.emplace(conversation.pull_at, id);
  }
}

void Timelines::try_later(Conversation& conversation, std::optional<uint64_t> retry_ms, MonotonicTime now) {
  const auto wait = retry_wait(random_, retry_ms, retry_first, retry_cap, conversation.fruitless++);
  if (conversation.pull == Pull::waits) conversation.pull = Pull::none;
  want_pull(conversation, now, std::max(base::nanoseconds(gap_wait), wait));
}

}  // namespace tidings::client
