#include "gateway/people.h"

#include <utility>

#include "gateway/session.h"

namespace tidings::gateway {

bool People::enter(model::UserId user, Session& session) {
  ++version_;
  const auto known = people_.find(user);
  if (known != people_.end()) {
    session.next_of_person = std::exchange(known->second, &session);
    return true;
  }
  for (size_t shard = 0; shard < links_.count(); ++shard) {
    if (!links_.send(shard, ports::Attach{user})) return detach(user, shard), false;
    if (const auto owed = owed_.find(shard); owed != owed_.end()) owed->second.erase(user);
  }
  session.next_of_person = nullptr;
  people_[user] = &session;
  return true;
}

void People::leave(model::UserId user, Session& session) {
  ++version_;
  const auto known = people_.find(user);
  if (known == people_.end()) return;
  Session** at = &known->second;
  while (*at && *at != &session) at = &(*at)->next_of_person;
  if (*at) *at = session.next_of_person;
  if (known->second) return;
  people_.erase(known);
  detach(user, links_.count());
}

void People::detach(model::UserId user, size_t shards) {
  for (size_t shard = 0; shard < shards; ++shard) {
    if (!links_.send(shard, ports::Detach{user})) owed_[shard].insert(user);
  }
}

Session* People::sessions_of(model::UserId user) const {
  const auto known = people_.find(user);
  return known == people_.end() ? nullptr : known->second;
}

std::vector<model::DeviceId> People::devices() const {
  std::vector<model::DeviceId> all;
  all.reserve(devices_.size());
  for (const auto& [device, session] : devices_) all.push_back(device);
  return all;
}

Session* People::with_device(model::DeviceId device) const {
  const auto known = devices_.find(device);
  return known == devices_.end() ? nullptr : known->second;
}

void People::leave_device(model::DeviceId device, const Session& session) {
  const auto known = devices_.find(device);
  if (known != devices_.end() && known->second == &session) devices_.erase(known);
}

bool People::attach_all(size_t shard) {
  auto known = unattached_.find(shard);
  if (known == unattached_.end()) {
    known = unattached_.emplace(shard, std::vector<model::UserId>()).first;
    for (const auto& [user, sessions] : people_) known->second.push_back(user);
  }
  auto& users = known->second;
  // Who has gone meanwhile was detached, and one Attach too many would stay.
  for (; !users.empty(); users.pop_back()) {
    if (people_.contains(users.back()) && !links_.send(shard, ports::Attach{users.back()})) return false;
  }
  unattached_.erase(known);
  return true;
}

void People::link_lost(size_t shard) {
  owed_.erase(shard);
  unattached_.erase(shard);
}

void People::settle() {
  for (auto& [shard, users] : owed_) {
    while (!users.empty() && links_.send(shard, ports::Detach{*users.begin()})) users.erase(users.begin());
  }
  std::erase_if(owed_, [](const auto& owed) { return owed.second.empty(); });
}

}  // namespace tidings::gateway
