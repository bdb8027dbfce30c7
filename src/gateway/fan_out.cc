#include "gateway/fan_out.h"

#include <algorithm>

#include "gateway/session.h"

namespace tidings::gateway {

void FanOut::add(const ports::EventOut& event) {
  if (!waiting_.empty() && waiting_.front().event->people != event.people) flush();
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

void FanOut::flush() {
  if (waiting_.empty()) return;
  for (const auto user : waiting_.front().event->people) {
    for (Session* session = shared_.people.sessions_of(user); session; session = session->next_of_person) {
      const auto told = told_.empty() ? told_.end() : told_.find(session);
      tell(*session, told == told_.end() ? 0 : told->second);
    }
  }
  const auto now = shared_.now();
  for (const auto& [event, except, frame] : waiting_) {
    if (event->folded != base::MonotonicTime())
      shared_.metrics.tick_to_delivered.observe(now - event->folded);
  }
  waiting_.clear();
  told_.clear();
}

}  // namespace tidings::gateway
