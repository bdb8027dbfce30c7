#include "gateway/fan_out.h"

#include <algorithm>

#include "gateway/session.h"

namespace tidings::gateway {

namespace {

// So many are fetched into the cache before their turn: memory is slower than all that is done with them.
constexpr size_t sessions_ahead = 4;

}  // namespace

FanOut::FanOut(Shared& shared) : shared_(shared), audiences_(shared.people, shared.parts.limits) {}

void FanOut::add(const ports::EventOut& event) {
  const bool goes_on = !waiting_.empty() && waiting_.front().event->people == event.people &&
                       waiting_bytes_ + event.bytes.size() <= shared_.parts.limits.train_bytes_max;
  if (!goes_on) flush();
  waiting_bytes_ += event.bytes.size();
  const Session* except = event.except_session == 0 ? nullptr : shared_.session(event.except_session);
  waiting_.push_back({&event, except, Frame(event.bytes)});
}

void FanOut::tell(Session& session, size_t from) const {
  for (size_t i = from; i < waiting_.size(); ++i) {
    if (waiting_[i].except != &session) session.on_event(*waiting_[i].event, waiting_[i].frame);
  }
}

void FanOut::catch_up(Session& session) {
  if (waiting_.empty()) return;
  const auto& people = waiting_.front().event->people;
  if (std::ranges::find(people, session.who().user) == people.end()) return;
  size_t& told = told_[&session];
  tell(session, std::exchange(told, waiting_.size()));
}

void FanOut::tell_rest(Session& session) const {
  const auto told = told_.empty() ? told_.end() : told_.find(&session);
  tell(session, told == told_.end() ? 0 : told->second);
}

void FanOut::tell_train() {
  for (const auto& [event, except, frame] : waiting_) train_.add(*event, frame, except);
  const auto& sessions = audiences_.sessions_of(waiting_.front().event->people);
  for (size_t i = 0; i < sessions.size(); ++i) {
    if (i + sessions_ahead < sessions.size()) sessions[i + sessions_ahead]->prefetch();
    Session& session = *sessions[i];
    const bool whole = told_.empty() || !told_.contains(&session);
    if (whole && session.on_train(train_)) {
      shared_.metrics.told_whole.add();
    } else {
      shared_.metrics.told_singly.add();
      tell_rest(session);
    }
  }
  train_.clear();
}

void FanOut::flush() {
  if (waiting_.empty()) return;
  const auto& people = waiting_.front().event->people;
  if (people.size() >= shared_.parts.limits.train_people_min) {
    tell_train();
  } else {
    for (const auto user : people) {
      for (Session* session = shared_.people.sessions_of(user); session; session = session->next_of_person)
        tell_rest(*session);
    }
  }
  const auto now = shared_.now();
  for (const auto& [event, except, frame] : waiting_) {
    if (event->folded != base::MonotonicTime())
      shared_.metrics.tick_to_delivered.observe(now - event->folded);
  }
  waiting_.clear();
  waiting_bytes_ = 0;
  told_.clear();
}

}  // namespace tidings::gateway
