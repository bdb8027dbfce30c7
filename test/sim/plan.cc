#include "test/sim/plan.h"

#include <array>

#include <fmt/format.h>

namespace tidings::sim {
namespace {

using base::milliseconds;
using base::nanoseconds;
using base::seconds;
using model::UserId;

constexpr std::array<std::string_view, fault_count> names{
    "kill",      "power cut",      "crash at step", "failing sync", "cut",         "cut all",
    "half cut",  "client restart", "server clock",  "client clock", "weather",     "hold",
    "copy back", "kill gateway",   "stall link",    "break link",   "lost welcome"};

// People whose conversations share a partition: only there records overtake each other in the fold's order,
// which is what checkpoints are about.
UserId in_same_partition(Prng& random, UserId with, model::PartitionId partition) {
  for (;;) {
    const UserId user{random.next() >> 1 | 1};
    if (model::partition_of(model::direct_conversation(user, with)) == partition) return user;
  }
}

nanoseconds up_to(Prng& random, nanoseconds least, nanoseconds most) {
  return least + random.duration(most - least);
}

}  // namespace

std::string_view name(Fault fault) {
  return names[static_cast<size_t>(fault)];
}

Plan::Plan(uint64_t seed) : random(seed * 0x2545F4914F6CDD1Dull + 1) {
  constexpr std::array<const char*, 8> first_names{"ann", "bob", "cem", "dora", "eve", "finn", "gia", "hal"};
  const size_t count = random.chance(100) ? random.between(6, 8) : random.between(3, 5);
  model::PartitionId shared;
  for (size_t i = 0; i < count; ++i) {
    UserId user{random.next() >> 1 | 1};
    if (i == 1) shared = model::partition_of(model::direct_conversation(people[0].user, user));
    if (i >= 2) user = in_same_partition(random, people[i % 2].user, shared);
    people.push_back({first_names[i], user, random.chance(400) ? size_t{2} : size_t{1}, random.chance(500),
                      random.chance(150)});
  }

  if (random.chance(150)) {
    for (uint64_t left = random.between(31, 58); left > 0; --left) crowd.push_back({random.next() >> 1 | 1});
  }
  groups = random.chance(800) ? random.between(1, 4) : 0;
  in_groups_per_mille = groups ? random.between(200, 700) : 0;
  changes = groups ? random.between(5, 60) : random.below(8);
  dance = groups && random.chance(300);
  reads_per_mille = random.chance(200) ? 0 : random.between(20, 600);

  limits.lift_rates();  // people of the simulator say more than people may
  limits.states_max = random.between(2, 8);
  limits.loads_in_flight_max = random.between(1, 4);
  limits.overtaking_records_max = random.between(2, 64);
  limits.undispatched_records_max = 2 * limits.overtaking_records_max;
  limits.flush_records_max = random.between(1, 40);
  limits.flush_interval = up_to(random, milliseconds(2), milliseconds(300));
  limits.store_sync_interval = up_to(random, milliseconds(100), seconds(10));
  limits.queries_in_flight_max = random.between(4, 64);
  limits.log_group_records_max = random.between(2, 64);
  limits.log_group_bytes_max = random.between(4'000, 64'000);
  limits.log_queue_bytes_max = random.between(4'000, 64'000) + crowd.size() * 2'000;  // one batch always fits
  limits.link_queue_bytes_max = random.between(64'000, 512'000);
  limits.unacked_bytes_max = random.between(16'000, 256'000);
  limits.drain_window = milliseconds(0);  // who stops it starts it soon
  limits.effects_in_flight_max = random.between(1, 64);
  limits.mark_interval = up_to(random, milliseconds(10), seconds(1));
  limits.receipt_interval = up_to(random, milliseconds(10), seconds(1));
  limits.unacked_places_max = random.between(4, 512);
  limits.sync_rows_max = random.between(2, 500);
  limits.page_events_max = random.between(2, 50);
  limits.page_bytes_max = random.between(1'000, 64'000);
  limits.sends_in_flight_max = random.between(2, 32);
  segment_bytes = random.between(4, 32) * 4096;

  messages = random.chance(100) ? random.between(600, 1500) : random.between(60, 400);
  active = up_to(random, seconds(5), seconds(30));
  fault_pause = up_to(random, milliseconds(400), seconds(5));
  disk_call_max = random.chance(200) ? milliseconds(2) : std::chrono::microseconds(60);
  disk_sync_max = random.chance(150) ? milliseconds(60) : milliseconds(2);
  store_call_max =
      random.chance(300) ? milliseconds(random.chance(300) ? 120 : 30) : std::chrono::microseconds(300);
  latency_max = up_to(random, milliseconds(1), milliseconds(60));
  burst_per_mille = random.between(0, 400);

  for (const auto fault :
       {Fault::kill, Fault::power_cut, Fault::crash_at_step, Fault::crash_at_step, Fault::failing_sync,
        Fault::cut, Fault::cut_all, Fault::half_cut, Fault::client_restart, Fault::server_clock,
        Fault::client_clock, Fault::weather, Fault::hold}) {
    if (random.chance(450)) faults.push_back(fault);
  }
  copies_back = random.chance(200);
  // A clock that stands still gives two branches the same ids, which is beyond what a fingerprint can tell.
  if (copies_back) std::erase(faults, Fault::server_clock);
  calm = random.chance(600);
  narrow_sessions();
  late_writes = random.chance(250) ? random.between(3, 12) : 0;
  add_gateways(Prng(seed * 0x9E3779B97F4A7C15ull + 5));
  narrow_trains(Prng(seed * 0xBF58476D1CE4E5B9ull + 7));
}

// Most seeds have few people: what is for many is for them, too.
void Plan::narrow_trains(Prng chance) {
  limits.train_people_min = chance.between(1, 8);
  limits.train_bytes_max = chance.between(300, 16'000);
  limits.audience_people_min = chance.between(1, 8);
  limits.audiences_max = chance.between(0, 4);
}

// Drawn apart, so that other seeds are what they were before there were any.
void Plan::add_gateways(Prng chance) {
  const bool alone = !chance.chance(400);
  if (chance.chance(300)) faults.push_back(Fault::lost_welcome);
  if (alone) return;
  gateways = chance.between(1, 3);
  gateway_shards = chance.between(1, 2);
  for (const auto fault :
       {Fault::kill_gateway, Fault::kill_gateway, Fault::stall_link, Fault::stall_link, Fault::break_link}) {
    if (chance.chance(600)) faults.push_back(fault);
  }
  loses_core = chance.chance(400);
  if (loses_core) {
    // What must be done in 5 s must be possible in 5 s.
    limits.sends_in_flight_max = 32;
    limits.unacked_frames_max = std::max<size_t>(limits.unacked_frames_max, 128);
    limits.link_queue_bytes_max = std::max<size_t>(limits.link_queue_bytes_max, 64'000);
    store_call_max = std::min<nanoseconds>(store_call_max, milliseconds(2));
    disk_sync_max = std::min<nanoseconds>(disk_sync_max, milliseconds(10));
  }
  if (gateways > 1 && chance.chance(500)) late_writes = chance.between(3, 12);
}

// Pull mode, gaps of links, forgotten sessions.
void Plan::narrow_sessions() {
  if (random.chance(500)) limits.unacked_frames_max = random.between(8, 64);
  // Who may send more at once than answers are kept is cut off at every burst, and gets nothing done in 15
  // minutes.
  limits.sends_in_flight_max = std::min(limits.sends_in_flight_max, limits.unacked_frames_max);
  if (random.chance(300)) limits.outbox_bytes_high = random.between(2'000, 64'000);
  if (random.chance(300)) limits.resume_timeout = up_to(random, milliseconds(500), seconds(20));
  if (random.chance(200)) limits.parked_sessions_max = random.between(1, 4);
  if (random.chance(200)) limits.parked_bytes_max = random.between(1'000, 40'000);
  if (random.chance(200)) limits.dirty_conversations_max = random.between(1, 4);
  if (random.chance(300)) {
    // One answer always fits.
    limits.link_queue_bytes_max = random.between(8'000, 30'000);
    limits.page_bytes_max = std::min(limits.page_bytes_max, limits.link_queue_bytes_max / 4);
    limits.sync_rows_max = std::min<size_t>(limits.sync_rows_max, 10);
  }
}

std::string Plan::in_words() const {
  const auto ms = [](nanoseconds d) { return static_cast<double>(d.count()) / 1e6; };
  return fmt::format(
      "the server holds {} states, loads {} at a time, {} overtake, {} records or {:.0f} ms a flush, {} "
      "queries, {} "
      "records a group of the log, {} effects, {} rows a sync, {} events a page, {} sends in flight, {} "
      "frames and "
      "{} bytes unacked, {} bytes of a link; sessions resume for {:.1f} s; a call "
      "of the "
      "disk takes {:.2f} ms, its sync {:.0f}, a call of the store {:.1f}; {} messages in {:.0f} s, {} "
      "people, {} "
      "gateway processes",
      limits.states_max, limits.loads_in_flight_max, limits.overtaking_records_max, limits.flush_records_max,
      ms(limits.flush_interval), limits.queries_in_flight_max, limits.log_group_records_max,
      limits.effects_in_flight_max, limits.sync_rows_max, limits.page_events_max, limits.sends_in_flight_max,
      limits.unacked_frames_max, limits.unacked_bytes_max, limits.link_queue_bytes_max,
      ms(limits.resume_timeout) / 1e3, ms(disk_call_max), ms(disk_sync_max), ms(store_call_max), messages,
      ms(active) / 1e3, people.size(), gateways);
}

}  // namespace tidings::sim
