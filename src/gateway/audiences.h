// The sessions of the people who were told something lately: a busy group is the same people again and again,
// and looking a thousand of them up costs more than comparing the list.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "gateway/people.h"

namespace tidings::gateway {

class Audiences {
 public:
  explicit Audiences(const People& people) : people_(people) {}

  // All sessions of all of them, until somebody comes or goes.
  const std::vector<Session*>& sessions_of(const std::vector<model::UserId>& people);

 private:
  static constexpr size_t audiences_max = 16;
  struct Audience {
    std::vector<model::UserId> people;
    std::vector<Session*> sessions;
    uint64_t version = 0;
  };

  const People& people_;
  std::array<Audience, audiences_max> all_;
  size_t next_ = 0;  // to be forgotten
};

}  // namespace tidings::gateway
