#include "bench/hold_load.h"

#include <chrono>

namespace tidings::bench {

namespace {

using std::chrono::steady_clock;
constexpr base::nanoseconds again_pause = std::chrono::seconds(1);

base::nanoseconds now() {
  return steady_clock::now().time_since_epoch();
}

}  // namespace

HoldLoad::HoldLoad(Plan plan, Board& board)
    : plan_(std::move(plan)),
      board_(board),
      swarm_(plan_.tls),
      said_(plan_.partners.size()),
      heard_(plan_.partners.size()),
      last_(plan_.partners.size()) {
  swarm_.on_frame = [this](Swarm::Session& s, std::string_view frame) { on_frame(s, frame); };
  swarm_.on_lost = [this](Swarm::Session& s) {
    board_.counts[came_again] += 1;
    swarm_.connect_later(s, plan_.port, again_pause);
  };
  swarm_.connects_at_once = 32;  // of each of many loads
  swarm_.acknowledges = !plan_.raw;
  swarm_.heartbeats = true;
  for (const Person& person : plan_.people) swarm_.add(person);
}

void HoldLoad::turn() {
  swarm_.turn(5);
  board_.counts[open] = swarm_.open_count();
}

void HoldLoad::connect_up_to(size_t sessions) {
  for (; connected_ < sessions; ++connected_) swarm_.connect(swarm_.at(connected_), plan_.port);
  while (swarm_.open_count() < sessions) turn();
}

// The parent looks that this does not last for ever.
void HoldLoad::obey(uint32_t order) {
  switch (static_cast<Order>(order)) {
    case warm:
      return connect_up_to(std::min(warm_sessions, swarm_.size()));
    case connect:
      return connect_up_to(swarm_.size());
    case beat:
      for (const auto end = now() + std::chrono::duration<double>(plan_.seconds); now() < end;) turn();
      return;
    case greet:
      for (size_t i = 0; i < plan_.partners.size(); ++i) say(i, now());
      while (board_.counts[ticked] < board_.counts[sent] || board_.counts[delivered] < board_.counts[sent]) {
        say_again();
        turn();
      }
      board_.times = 0;
      greeted_ = true;
      return;
    case talk: {
      const auto begun = now(), end = begun + std::chrono::duration_cast<base::nanoseconds>(
                                                  std::chrono::duration<double>(plan_.seconds));
      const auto step = std::chrono::duration_cast<base::nanoseconds>(
          std::chrono::duration<double>(1 / plan_.messages_per_second));
      size_t turn_of = 0;
      for (auto due = begun; due < end;) {
        for (; due < end && due <= now(); due += step) say(turn_of++ % plan_.partners.size(), due);
        swarm_.turn(1);
      }
      return;
    }
    case finish:
      while (board_.counts[delivered] < board_.counts[sent] || swarm_.open_count() < swarm_.size()) turn();
      return;
  }
}

// Every load says as much as every other, so that it is told as much as it says.
void HoldLoad::say(size_t talker, std::chrono::nanoseconds due) {
  wire::MessageSend frame;
  frame.request = 1 + said_[talker];
  frame.to = plan_.partners[talker];
  frame.client_id = {model::uuid_v7(clock_.wall(), plan_.number & 0xfff, ++client_ids_)};
  frame.message.text = "due " + std::to_string(due.count()) + " number " + std::to_string(said_[talker]++);
  last_[talker] = wire::encode(frame);
  swarm_.send(swarm_.at(talker), last_[talker]);
  board_.counts[sent] += 1;
}

// As any client does: all first messages come at once, and beyond loads_in_flight_max conversations the core
// is busy.
void HoldLoad::say_again() {
  for (; !again_.empty() && again_.front().first <= now(); again_.pop_front())
    swarm_.send(swarm_.at(again_.front().second), last_[again_.front().second]);
}

void HoldLoad::on_frame(Swarm::Session& session, std::string_view frame) {
  if (plan_.raw || frame.find(R"("ephemeral":true)") != std::string_view::npos) return;
  const auto parsed = wire::parse_server_frames(frame);
  for (const auto& one : parsed.frames) {
    if (!one) give_up("a frame of the server cannot be read: " + one.error().detail);
    if (std::get_if<wire::Ok>(&*one)) board_.counts[ticked] += 1;
    // Without a request it is the connection's: the server closes it, and we come again.
    if (const auto* error = std::get_if<wire::ErrorFrame>(&*one); error && error->request) {
      if (!greeted_ && error->code == wire::Code::busy) {
        again_.emplace_back(now() + again_pause, session.number);
        continue;
      }
      give_up("the server refuses: " + std::string(wire::name(error->code)) + " " + error->message);
    }
    const auto* event = std::get_if<wire::EventFrame>(&*one);
    const auto* message = event ? std::get_if<model::MessageCreated>(&event->event.body) : nullptr;
    if (!message) continue;
    int64_t due = 0;
    uint64_t number = 0;
    if (std::sscanf(message->message.text.c_str(), "due %ld number %lu", &due, &number) != 2 ||
        session.number >= heard_.size() || number != heard_[session.number]++)
      give_up("a message is lost, repeated, changed or out of order");
    board_.counts[delivered] += 1;
    board_.add_time(static_cast<double>(now().count() - due) / 1e6);
  }
}

}  // namespace tidings::bench
