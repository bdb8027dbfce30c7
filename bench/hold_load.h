// One process's part of many idle sessions.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "bench/load_process.h"
#include "bench/swarm.h"
#include "engine/embedded/system_clock.h"

namespace tidings::bench {

class HoldLoad {
 public:
  // In this order: the first few, then the others, heartbeats, a first message of each pair, the others.
  enum Order : uint32_t { warm = 1, connect, beat, greet, talk, finish };
  enum Count : size_t { open, came_again, sent, ticked, delivered };
  static constexpr size_t warm_sessions = 200;  // what the first ones cost is the process's, not theirs

  struct Plan {
    std::vector<Person> people;
    std::vector<model::UserId> partners;  // of the first people, at other servers perhaps
    uint16_t port = 0;
    bool tls = false, raw = false;
    double messages_per_second = 0, seconds = 0;
    size_t number = 0;  // of this load
  };
  HoldLoad(Plan plan, Board& board);

  void obey(uint32_t order);
  void rest() { turn(); }

 private:
  void turn();
  void connect_up_to(size_t sessions);
  void say(size_t talker, std::chrono::nanoseconds due);
  void say_again();
  void on_frame(Swarm::Session& session, std::string_view frame);

  const Plan plan_;
  Board& board_;
  Swarm swarm_;
  embedded::SystemClock clock_;
  std::vector<uint64_t> said_, heard_;                      // of each talker
  std::vector<std::string> last_;                           // what each said last
  std::deque<std::pair<base::nanoseconds, size_t>> again_;  // first messages that were refused, and when
  bool greeted_ = false;
  size_t connected_ = 0;
  uint64_t client_ids_ = 0;
};

}  // namespace tidings::bench
