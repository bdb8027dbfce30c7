// Life in groups of several sizes, for runs of faults: people write and read, an owner adds and removes some
// of them again and again, and some leave by themselves. Most members of the large ones have no device.
#pragma once

#include <string>
#include <vector>

#include "test/faults/crowd.h"
#include "test/sim/prng.h"

namespace tidings::faults {

class GroupLife {
 public:
  // The first of `devices` owns all groups; the last ones come and go. All of different people.
  GroupLife(Crowd& crowd, std::vector<CrowdDevice*> devices, uint64_t seed);

  // Makes groups of 3, 30 and 300 people; who has no device here comes from `others`. Blocks.
  base::Status begin(const std::vector<model::UserId>& others);
  void start();
  // How much of the run is over, 0…1: a person has at most 8 intervals in a conversation, which are spread
  // over it.
  void progress(double part) {
    crowd_.run([&] { progress_ = part; });
  }
  // No more wishes; those under way go on until they are answered.
  void stop();
  // On the reactor: nothing is under way.
  bool settled() const;

  // Answered, on the reactor.
  struct Tally {
    uint64_t sends = 0, reads = 0, joined = 0, left = 0, removed = 0;
  };
  Tally tally() {
    return crowd_.run([this] { return tally_; });
  }
  // Answers that no honest server gives here, in words.
  std::vector<std::string> complaints() {
    return crowd_.run([this] { return complaints_; });
  }

 private:
  struct Group {
    size_t size = 0;
    model::ConversationId id;
    std::vector<size_t> in;            // indices of devices whose people are in it to begin with
    std::vector<size_t> movers;        // those of them who come and go
    std::vector<bool> mover_in;        // by index in `movers`
    std::vector<size_t> joined;        // how often, likewise
    std::vector<model::UserId> quiet;  // who have no device, and come and go, too
    std::vector<bool> quiet_in;
    bool busy = false;  // a change waits for its answer
  };
  void go_on();
  void say(Group& group);
  void read(CrowdDevice& device);
  void change(Group& group);
  void change_quiet(Group& group);
  client::Core::WhenDone answered(Group& group, std::string what, std::function<void()> then);
  size_t below(size_t bound) { return static_cast<size_t>(random_.below(bound)); }

  Crowd& crowd_;
  const std::vector<CrowdDevice*> devices_;
  // Below: the reactor's.
  sim::Prng random_;
  std::vector<Group> groups_;
  Tally tally_;
  std::vector<std::string> complaints_;
  uint64_t number_ = 0;
  double progress_ = 0;
  bool stopped_ = false;
};

}  // namespace tidings::faults
