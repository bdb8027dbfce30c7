// The sessions of the people who were told something lately: a busy group is the same people again and again,
// and looking a thousand of them up costs more than comparing the list.
#pragma once

#include <cstdint>
#include <vector>

#include "base/limits.h"
#include "gateway/people.h"

namespace tidings::gateway {

class Audiences {
 public:
  // At most Limits::audiences_max, of Limits::audience_people_min people or more.
  Audiences(const People& people, const base::Limits& limits) : people_(people), limits_(limits) {}

  // All sessions of all of them, until the next call and as long as nobody comes or goes.
  const std::vector<Session*>& sessions_of(const std::vector<model::UserId>& people);
  size_t size() const { return all_.size(); }

 private:
  struct Audience {
    std::vector<model::UserId> people;
    std::vector<Session*> sessions;
    uint64_t version = 0;
  };
  void look_up(const std::vector<model::UserId>& people, std::vector<Session*>& sessions) const;
  Audience& place_for(const std::vector<model::UserId>& people);

  const People& people_;
  const base::Limits& limits_;
  std::vector<Audience> all_;
  size_t next_ = 0;            // to be forgotten
  std::vector<Session*> few_;  // of people who are not remembered
};

}  // namespace tidings::gateway
