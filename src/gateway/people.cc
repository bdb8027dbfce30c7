#include "gateway/people.h"

#include <algorithm>

namespace tidings::gateway {

bool People::enter(model::UserId user, Session& session) {
  const auto known = people_.find(user);
  if (known != people_.end()) {
    known->second.push_back(&session);
    return true;
  }
  for (size_t shard = 0; shard < links_.count(); ++shard) {
    if (!links_.send(shard, ports::Attach{user})) return detach(user, shard), false;
    if (const auto owed = owed_.find(shard); owed != owed_.end()) owed->second.erase(user);
  }
  people_[user].push_back(&session);
  return true;
}

void People::leave(model::UserId user, Session& session) {
  const auto known = people_.find(user);
  if (known == people_.end()) return;
  std::erase(known->second, &session);
  if (!known->second.empty()) return;
  people_.erase(known);
  detach(user, links_.count());
}

void People::detach(model::UserId user, size_t shards) {
  for (size_t shard = 0; shard < shards; ++shard) {
    if (!links_.send(shard, ports::Detach{user})) owed_[shard].insert(user);
  }
}

const std::vector<Session*>& People::sessions_of(model::UserId user) const {
  static const std::vector<Session*> nobody;
  const auto known = people_.find(user);
  return known == people_.end() ? nobody : known->second;
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
