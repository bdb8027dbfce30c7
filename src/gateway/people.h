// Who is connected at this gateway: the sessions of each person, told to every core shard, and the one of
// each device.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "gateway/gateway.h"
#include "gateway/links.h"

namespace tidings::gateway {

class Session;

class People {
 public:
  explicit People(Links& links) : links_(links) {}

  // The person has this session from now on; with the first one every core shard is told before anything else
  // is sent. False: a link is full, nothing changed.
  [[nodiscard]] bool enter(model::UserId user, Session& session);
  void leave(model::UserId user, Session& session);
  // The first one, or nullptr; the others by Session::next_of_person. Nobody may come or go while they are
  // told.
  Session* sessions_of(model::UserId user) const;
  // Another one whenever any session has come or gone.
  uint64_t version() const { return version_; }

  // The session of a device that is welcomed here, or nullptr.
  Session* with_device(model::DeviceId device) const;
  void set_device(model::DeviceId device, Session& session) { devices_[device] = &session; }
  std::vector<model::DeviceId> devices() const;
  // Forgets it, unless another session has the device by now.
  void leave_device(model::DeviceId device, const Session& session);

  // Tells the shards what their full links did not take. Until then they send events for people who are not
  // here, which costs work and nothing else.
  void settle();

  // A shard that knows nobody of them: it is told all of them. False: its link is full; again later.
  [[nodiscard]] bool attach_all(size_t shard);
  // The shard has forgotten all of them.
  void link_lost(size_t shard);

 private:
  void detach(model::UserId user, size_t shards);

  Links& links_;
  uint64_t version_ = 1;
  std::unordered_map<model::UserId, Session*> people_;  // the first of each, because most have one only
  std::unordered_map<model::DeviceId, Session*> devices_;
  std::unordered_map<size_t, std::unordered_set<model::UserId>> owed_;  // Detach frames, by shard
  std::unordered_map<size_t, std::vector<model::UserId>> unattached_;   // by shard that is told all of them
};

}  // namespace tidings::gateway
