#include "client/cpp/timelines.h"

#include <algorithm>

#include "client/cpp/backoff.h"

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
constexpr int direct_members = 2;

}  // namespace

void Timelines::connected(model::UserId self, const std::string& branch, size_t pulls_max,
                          size_t chunk_rows_max) {
  disconnected();
  connected_ = true;
  const bool branch_changed = !branch_.empty() && branch_ != branch;
  branch_ = branch;
  self_ = self;
  pulls_max_ = std::max<size_t>(1, pulls_max);
  std::vector<wire::VectorEntry> rows;
  for (auto& [id, conversation] : conversations_) {
    // A server that started anew may have gone back to a copy of its data. Nothing is put behind our copy
    // until a pull has shown that the server agrees with it, and what we heard of above may be of another
    // history.
    if (branch_changed) {
      if (conversation.timeline.view().have.seq.value > 0) conversation.unchecked = true;
      if (conversation.timeline.behind()) {
        conversation.timeline.doubt(self);
        conversation.recovering = true;
      }
    }
    if (conversation.timeline.view().have.seq.value > 0)
      rows.push_back({id, conversation.timeline.view().have});
  }
  sync_.start(std::move(rows), chunk_rows_max);
}

void Timelines::disconnected() {
  connected_ = false;
  syncing_ = true;
  sync_request_ = 0;
  sync_refused_ = 0;
  sync_at_ = MonotonicTime::min();
  queue_.clear();
  in_flight_.clear();
  late_.clear();
  wakes_.clear();
  for (auto& [id, conversation] : conversations_) conversation.pull = Pull::none;
}

bool Timelines::add(const model::Event& event, MonotonicTime now) {
  Conversation* conversation = find_or_add(event.conversation);
  if (!conversation) return true;
  conversation->gone = false;
  Timeline::Applied applied;
  const auto outcome = conversation->timeline.add(event, syncing_ || conversation->unchecked, applied);
  return settle(*conversation, outcome, applied, now);
}

bool Timelines::page(const wire::PageFrame& page, MonotonicTime now) {
  const bool late = late_.contains(page.request);
  const auto pull = answered(page.request);
  if (!pull) return true;
  if (pull->conversation != page.conversation) return false;
  const model::Seq after = pull->after;
  Conversation& conversation = conversations_.at(page.conversation);
  // Of a pull that was asked again: good as long as nothing else has brought these events.
  if (late) {
    if (conversation.timeline.view().have.seq != after) return true;
    forget_requests(page.conversation);
  }
  if (conversation.pull != Pull::queued) conversation.pull = Pull::none;
  conversation.gone = false;
  const model::Seq had = conversation.timeline.view().have.seq;
  Timeline::Applied applied;
  const auto outcome = conversation.timeline.page(page, after, applied);
  if (outcome == Timeline::Outcome::fine) conversation.unchecked = false;
  // A history that contradicts itself would be fetched again for ever.
  if (outcome == Timeline::Outcome::diverged && after.value == 0 && conversation.recovering) return false;
  if (!settle(conversation, outcome, applied, now)) return false;
  if (outcome != Timeline::Outcome::fine) return true;

  conversation.fruitless = conversation.timeline.view().have.seq > had ? 0 : conversation.fruitless + 1;
  if (page.more) {
    if (!conversation.recovering) unsettled_.erase(page.conversation);
    want_pull(conversation, now, {});
    return true;
  }
  if (std::exchange(conversation.recovering, false)) {
    auto lost = conversation.timeline.take_lost();
    if (!lost.empty()) sink_.on_lost(page.conversation, std::move(lost));
  }
  unsettled_.erase(page.conversation);
  if (conversation.timeline.behind()) try_later(conversation, std::nullopt, now);
  return true;
}

bool Timelines::synced(const wire::SyncAnswer& answer, MonotonicTime now) {
  if (answer.request != sync_request_ || sync_request_ == 0) return true;
  const auto step = sync_.answer(answer);
  if (step == VectorSync::Step::broken) return false;
  for (const wire::SyncedConversation& row : answer.conversations) {
    Conversation* conversation = find_or_add(row.conversation);
    if (!conversation) continue;
    conversation->gone = false;
    conversation->timeline.set_kind(row.kind);
    const auto outcome = conversation->timeline.compare(row.head);
    if (!settle(*conversation, outcome, {}, now)) return false;
    if (conversation->timeline.behind()) unsettled_.insert(row.conversation);
  }
  sync_request_ = 0;
  sync_refused_ = 0;
  sync_at_ = MonotonicTime::min();
  return step == VectorSync::Step::again || end_sync(now);
}

bool Timelines::end_sync(MonotonicTime now) {
  syncing_ = false;
  for (auto& [id, conversation] : conversations_) {
    // After a restore the server may not know a conversation at all, and then it is not listed either.
    if (conversation.unchecked) {
      unsettled_.insert(id);
    } else {
      Timeline::Applied applied;
      const auto outcome = conversation.timeline.release(applied);
      if (!settle(conversation, outcome, applied, now)) return false;
    }
    if (conversation.recovering) unsettled_.insert(id);
    if (unsettled_.contains(id) || conversation.timeline.behind()) want_pull(conversation, now, {});
  }
  return true;
}

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
  if (*error.request == sync_request_) {
    sync_request_ = 0;
    sync_at_ = now + retry_wait(random_, error.retry_ms, retry_first, retry_cap, sync_refused_++);
    return true;
  }
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
    case wire::Code::not_found:
    case wire::Code::not_member:
    case wire::Code::forbidden:
    case wire::Code::banned:
      forget_gone(conversation);
      break;
    default:
      try_later(conversation, error.retry_ms, now);
  }
  return true;
}

void Timelines::expect(const model::ConversationId& id, model::Seq seq, MonotonicTime now) {
  Conversation* conversation = find_or_add(id);
  if (!conversation) return;
  conversation->timeline.expect(seq);
  if (!syncing_ && conversation->timeline.behind()) want_pull(*conversation, now, {});
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
  while (!in_flight_.empty() && in_flight_.begin()->second.deadline <= now) {
    Conversation& conversation = conversations_.at(in_flight_.begin()->second.conversation);
    late_.insert(in_flight_.extract(in_flight_.begin()));
    if (late_.size() > late_max) late_.erase(late_.begin());
    conversation.pull = Pull::none;
    want_pull(conversation, now, {});
  }
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    const model::ConversationId id = wakes_.extract(wakes_.begin()).mapped();
    Conversation& conversation = conversations_.at(id);
    if (conversation.pull != Pull::waits || conversation.pull_at > now) continue;
    conversation.pull = Pull::none;
    if (conversation.timeline.behind() || unsettled_.contains(id)) want_pull(conversation, now, {});
  }
  while (!queue_.empty() && in_flight_.size() < pulls_max_) {
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
  return frames;
}

std::optional<MonotonicTime> Timelines::next() const {
  if (!connected_) return std::nullopt;
  if (syncing_) return sync_at_;
  std::optional<MonotonicTime> next;
  if (!in_flight_.empty()) next = in_flight_.begin()->second.deadline;
  if (!wakes_.empty() && (!next || wakes_.begin()->first < *next)) next = wakes_.begin()->first;
  return next;
}

std::optional<model::UserId> Timelines::gone(const model::ConversationId& id) {
  const auto found = conversations_.find(id);
  if (found == conversations_.end() || found->second.gone) return std::nullopt;
  forget_gone(found->second);
  return addressee(id);
}

std::optional<model::UserId> Timelines::addressee(const model::ConversationId& id) const {
  const Conversation* conversation = find(id);
  if (!conversation || !conversation->gone) return std::nullopt;
  const ConversationView& view = conversation->timeline.view();
  if (view.kind != model::ConversationKind::direct || view.members.size() != direct_members)
    return std::nullopt;
  return view.members[0] == self_ ? view.members[1] : view.members[0];
}

std::optional<wire::Hello::Newest> Timelines::newest() const {
  std::optional<wire::Hello::Newest> newest;
  for (const auto& [id, conversation] : conversations_) {
    const model::Cursor event = conversation.timeline.newest();
    if (event.seq.value > 0 && (!newest || event.id > newest->event.id)) newest = {id, event};
  }
  return newest;
}

const ConversationView* Timelines::view(const model::ConversationId& id) const {
  const Conversation* conversation = find(id);
  if (!conversation || conversation->gone) return nullptr;
  if (conversation->timeline.view().head.value == 0 && !conversation->recovering) return nullptr;
  return &conversation->timeline.view();
}

std::vector<ConversationView> Timelines::views() const {
  std::vector<ConversationView> out;
  for (const auto& [id, conversation] : conversations_) {
    if (const ConversationView* known = view(id)) out.push_back(*known);
  }
  return out;
}

std::vector<model::Event> Timelines::events(const model::ConversationId& id) const {
  const Conversation* conversation = find(id);
  if (!conversation) return {};
  const auto& events = conversation->timeline.events();
  return {events.begin(), events.end()};
}

Timelines::Conversation* Timelines::find_or_add(const model::ConversationId& id) {
  const auto found = conversations_.find(id);
  if (found != conversations_.end()) return &found->second;
  if (conversations_.size() >= conversations_max) return nullptr;
  return &conversations_.try_emplace(id, id, held_).first->second;
}

const Timelines::Conversation* Timelines::find(const model::ConversationId& id) const {
  const auto found = conversations_.find(id);
  return found == conversations_.end() ? nullptr : &found->second;
}

bool Timelines::settle(Conversation& conversation, Timeline::Outcome outcome,
                       const Timeline::Applied& applied, MonotonicTime now) {
  for (const model::Event& event : applied) sink_.on_event(event);
  switch (outcome) {
    case Timeline::Outcome::broken:
      return false;
    case Timeline::Outcome::diverged:
      reset(conversation, now);
      return true;
    case Timeline::Outcome::fine:
      look_for_gap(conversation, now);
      return true;
  }
  return false;
}

void Timelines::look_for_gap(Conversation& conversation, MonotonicTime now) {
  if (!syncing_ && conversation.timeline.behind()) want_pull(conversation, now, gap_wait);
}

void Timelines::want_pull(Conversation& conversation, MonotonicTime now, base::nanoseconds delay) {
  if (conversation.pull == Pull::queued || conversation.pull == Pull::in_flight) return;
  const model::ConversationId& id = conversation.timeline.view().conversation;
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

void Timelines::reset(Conversation& conversation, MonotonicTime now) {
  const model::ConversationId id = conversation.timeline.view().conversation;
  forget_requests(id);
  if (conversation.pull == Pull::in_flight) conversation.pull = Pull::none;
  conversation.timeline.forget(self_);
  conversation.recovering = true;
  conversation.unchecked = false;
  conversation.fruitless = 0;
  unsettled_.insert(id);
  sink_.on_reset(id);
  if (!syncing_) want_pull(conversation, now, {});
}

void Timelines::forget_gone(Conversation& conversation) {
  const model::ConversationId id = conversation.timeline.view().conversation;
  const bool had_copy = conversation.timeline.view().have.seq.value > 0;
  forget_requests(id);
  conversation.pull = Pull::none;
  conversation.timeline.forget(self_);
  conversation.gone = true;
  conversation.recovering = false;
  conversation.unchecked = false;
  conversation.fruitless = 0;
  unsettled_.erase(id);
  if (had_copy) sink_.on_reset(id);
  auto lost = conversation.timeline.take_lost();
  if (!lost.empty()) sink_.on_lost(id, std::move(lost));
}

}  // namespace tidings::client
