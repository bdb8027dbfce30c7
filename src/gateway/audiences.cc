#include "gateway/audiences.h"

#include <algorithm>

#include "gateway/session.h"

namespace tidings::gateway {

const std::vector<Session*>& Audiences::sessions_of(const std::vector<model::UserId>& people) {
  auto known = std::ranges::find(all_, people, &Audience::people);
  if (known != all_.end() && known->version == people_.version()) return known->sessions;
  if (known == all_.end()) {
    known = all_.begin() + static_cast<ptrdiff_t>(next_++ % audiences_max);
    known->people = people;
  }
  known->version = people_.version();
  known->sessions.clear();
  for (const auto user : people) {
    for (Session* session = people_.sessions_of(user); session; session = session->next_of_person)
      known->sessions.push_back(session);
  }
  return known->sessions;
}

}  // namespace tidings::gateway
