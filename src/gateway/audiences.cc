#include "gateway/audiences.h"

#include <algorithm>

#include "gateway/session.h"

namespace tidings::gateway {

const std::vector<Session*>& Audiences::sessions_of(const std::vector<model::UserId>& people) {
  if (people.size() < limits_.audience_people_min || limits_.audiences_max == 0) {
    look_up(people, few_);
    return few_;
  }
  Audience& audience = place_for(people);
  if (audience.version != people_.version()) {
    audience.version = people_.version();
    look_up(people, audience.sessions);
  }
  return audience.sessions;
}

Audiences::Audience& Audiences::place_for(const std::vector<model::UserId>& people) {
  const auto known = std::ranges::find(all_, people, &Audience::people);
  if (known != all_.end()) return *known;
  Audience& place =
      all_.size() < limits_.audiences_max ? all_.emplace_back() : all_[next_++ % limits_.audiences_max];
  place.people = people;
  place.version = 0;
  return place;
}

void Audiences::look_up(const std::vector<model::UserId>& people, std::vector<Session*>& sessions) const {
  sessions.clear();
  for (const auto user : people) {
    for (Session* session = people_.sessions_of(user); session; session = session->next_of_person)
      sessions.push_back(session);
  }
}

}  // namespace tidings::gateway
