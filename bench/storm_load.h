// One process's part of the storm: whole groups, each with a sender who stays, and everybody else, who is cut
// or loses the gateway and comes back. Each checks that it has every message once and in order; what does not
// fit ends the program.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "bench/load_process.h"
#include "bench/swarm.h"
#include "engine/embedded/system_clock.h"

namespace tidings::bench {

class StormLoad {
 public:
  // In this order. One of `cut` and `lose` is left out.
  enum Order : uint32_t { connect = 1, group, say_before, cut, lose, say_missed, come_back, say_last };
  enum Count : size_t { away, resumed, synced, came_again, pulled_again, repeated, whole };
  static constexpr size_t before = 5, missed = 20, meanwhile = 3, all = before + missed + meanwhile + 1;

  struct Plan {
    std::vector<Person> people;  // group after group; the first of each is its sender
    size_t groups = 0;
    std::vector<uint16_t> ports;  // of the gateways; senders use the first
    size_t connects_at_once = 512;
    size_t number = 0;  // of this load
  };
  StormLoad(Plan plan, Board& board);

  void obey(uint32_t order);
  void rest() { turn(); }

 private:
  using SteadyClock = std::chrono::steady_clock;
  struct Known {
    std::string session, resume, branch;
    uint64_t received = 0;  // counted frames of the session
    model::ConversationId group;
    model::Cursor newest;
    std::string newest_frame;  // of the message that newest.seq is of; "": newest is whole
    model::Seq ahead;          // the largest seq that came before what is below it
    model::Position activity;
    size_t got = 0;           // messages
    bool away = false;        // until it has all that it missed
    bool catches_up = false;  // by a sync and pulls
  };

  bool is_sender(size_t number) const { return number % each_ == 0; }
  uint16_t port_of(size_t number) const { return plan_.ports[number % each_ % plan_.ports.size()]; }
  Known& known(const Swarm::Session& session) { return known_[session.number]; }

  void turn();
  template <class Done>
  void until(Done done, const char* otherwise);
  void on_lost(Swarm::Session& session);
  void say_hello(Swarm::Session& session, wire::Hello& hello);
  void on_frame(Swarm::Session& session, std::string_view frame);
  bool on_message(Swarm::Session& session, std::string_view frame);
  void on_welcome(Swarm::Session& session, const wire::Welcome& welcome);
  void on_error(Swarm::Session& session, const wire::ErrorFrame& error);
  void on_sync(Swarm::Session& session, const wire::SyncAnswer& answer);
  void on_page(Swarm::Session& session, const wire::PageFrame& page);
  void on_event(Swarm::Session& session, const model::Event& event);
  // False: it was there already, or it comes too early.
  bool take(Swarm::Session& session, model::Seq seq, std::string_view text);
  void in_group(size_t number, const model::ConversationId& group, model::Cursor first);

  void create(Swarm::Session& sender);
  void say_to_all();
  void sync(Swarm::Session& session);
  void pull(Swarm::Session& session);
  void return_all();
  std::string text(size_t group, size_t number) const;
  model::ClientId next_client_id() {
    return {model::uuid_v7(clock_.wall(), plan_.number & 0xfff, ++client_ids_)};
  }
  void count(Count what) { board_.counts[what] += 1; }

  Plan plan_;
  Board& board_;
  const size_t each_;
  Swarm swarm_;
  embedded::SystemClock clock_;
  std::vector<Known> known_;
  std::vector<std::pair<Swarm::Session*, wire::Request>> again_;
  SteadyClock::time_point begun_;  // of the return
  bool returning_ = false;
  size_t said_ = 0;  // to each group
  size_t in_group_ = 0, first_synced_ = 0, ticked_ = 0, back_ = 0, whole_ = 0;
  uint64_t client_ids_ = 0;
};

}  // namespace tidings::bench
