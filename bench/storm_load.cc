#include "bench/storm_load.h"

#include <charconv>
#include <utility>

namespace tidings::bench {

namespace {

constexpr wire::Request create_request = 1, sync_request = 2, pull_request = 3, first_send = 10;
constexpr double patience_seconds = 300;
// When those who return are told something new.
constexpr double meanwhile_seconds[StormLoad::meanwhile] = {0.2, 0.5, 1.0};
constexpr base::nanoseconds refused_pause = std::chrono::milliseconds(200);

double seconds_since(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

}  // namespace

StormLoad::StormLoad(Plan plan, Board& board)
    : plan_(std::move(plan)), board_(board), each_(plan_.people.size() / plan_.groups) {
  swarm_.connects_at_once = plan_.connects_at_once;
  swarm_.heartbeats = true;
  swarm_.on_frame = [this](Swarm::Session& s, std::string_view frame) { on_frame(s, frame); };
  swarm_.on_hello = [this](Swarm::Session& s, wire::Hello& hello) { say_hello(s, hello); };
  swarm_.on_lost = [this](Swarm::Session& s) { on_lost(s); };
  for (const Person& person : plan_.people) swarm_.add(person);
  known_.resize(plan_.people.size());
}

void StormLoad::turn() {
  swarm_.turn(5);
  for (const auto& [session, request] : std::exchange(again_, {})) {
    if (session->stage != Swarm::Stage::open) continue;
    if (request == create_request) {
      create(*session);
    } else if (request == pull_request) {
      pull(*session);
    } else {
      sync(*session);
    }
  }
}

template <class Done>
void StormLoad::until(Done done, const char* otherwise) {
  const auto begun = SteadyClock::now();
  while (!done()) {
    if (seconds_since(begun) > patience_seconds) give_up(otherwise);
    turn();
  }
}

void StormLoad::obey(uint32_t order) {
  const size_t people = known_.size();
  switch (static_cast<Order>(order)) {
    case connect:
      for (size_t i = 0; i < people; ++i) swarm_.connect(swarm_.at(i), port_of(i));
      return until([&] { return swarm_.open_count() == people; }, "not everybody could connect");
    case group:
      for (size_t i = 0; i < people; i += each_) create(swarm_.at(i));
      until([&] { return in_group_ == people; }, "not everybody came into the groups");
      for (size_t i = 0; i < people; ++i) sync(swarm_.at(i));
      return until([&] { return first_synced_ == people; }, "not everybody could sync");
    case say_before:
      for (size_t i = 0; i < before; ++i) say_to_all();
      return until(
          [&] {
            size_t have = 0;
            for (const Known& one : known_) have += one.got == before ? 1 : 0;
            return have == people - plan_.groups;
          },
          "not everybody has what was said at first");
    case cut:
      for (size_t i = 0; i < people; ++i) {
        if (is_sender(i)) continue;
        known_[i].away = true;
        count(away);
        swarm_.reset(swarm_.at(i));
      }
      return;
    case lose: {
      size_t there = 0;
      for (size_t i = 0; i < people; ++i) there += port_of(i) == plan_.ports.back() ? 1 : 0;
      return until([&] { return board_.counts[away] == there; }, "not everybody has lost the gateway");
    }
    case say_missed:
      for (size_t i = 0; i < missed; ++i) {
        say_to_all();
        until([&] { return ticked_ == said_ * plan_.groups; }, "messages are not answered");
      }
      return;
    case come_back:
      return return_all();
    case say_last:
      say_to_all();
      return until([&] { return whole_ == people - plan_.groups; }, "not everybody has everything");
  }
}

void StormLoad::return_all() {
  begun_ = SteadyClock::now();
  returning_ = true;
  for (size_t i = 0; i < known_.size(); ++i) {
    if (known_[i].away) swarm_.connect(swarm_.at(i), port_of(i));
  }
  size_t told = 0;
  until(
      [&] {
        const bool all_back = back_ == board_.counts[away];
        if (told < meanwhile && (all_back || seconds_since(begun_) > meanwhile_seconds[told])) {
          say_to_all();
          ++told;
        }
        return all_back && told == meanwhile;
      },
      "not everybody came back");
}

void StormLoad::on_lost(Swarm::Session& session) {
  Known& one = known(session);
  if (!returning_ && one.got >= before) {
    // Its gateway died.
    if (one.away) give_up("a connection was closed");
    one.away = true;
    return count(away);
  }
  if (returning_ && !one.away) give_up("a connection was closed behind the storm");
  count(came_again);
  swarm_.connect_later(session, port_of(session.number), refused_pause);
}

std::string StormLoad::text(size_t group, size_t number) const {
  return "marked " + std::to_string(plan_.number) + "." + std::to_string(group) + "." +
         std::to_string(number);
}

void StormLoad::create(Swarm::Session& sender) {
  wire::ConversationCreate frame;
  frame.request = create_request;
  frame.client_id = next_client_id();
  frame.kind = model::ConversationKind::group;
  for (size_t i = 0; i < each_; ++i) frame.members.push_back(plan_.people[sender.number + i].user);
  swarm_.send(sender, wire::encode(frame));
}

void StormLoad::say_to_all() {
  for (size_t g = 0; g < plan_.groups; ++g) {
    wire::MessageSend frame;
    frame.request = first_send + said_;
    frame.conversation = known_[g * each_].group;
    frame.client_id = next_client_id();
    frame.message.text = text(g, said_);
    swarm_.send(swarm_.at(g * each_), wire::encode(frame));
  }
  ++said_;
}

void StormLoad::sync(Swarm::Session& session) {
  model::ConversationId last;
  last.bytes.fill(0xFF);
  const auto since = returning_ ? std::optional(known(session).activity) : std::nullopt;
  swarm_.send(session, wire::encode(wire::SyncFrame{sync_request, {}, last, {}, since}));
}

void StormLoad::pull(Swarm::Session& session) {
  wire::PullFrame frame;
  frame.request = pull_request;
  frame.conversation = known(session).group;
  frame.after = known(session).newest.seq;
  swarm_.send(session, wire::encode(frame));
}

void StormLoad::say_hello(Swarm::Session& session, wire::Hello& hello) {
  Known& one = known(session);
  if (one.session.empty()) return;
  if (!one.newest_frame.empty()) {
    const auto parsed = wire::parse_server_frames(std::exchange(one.newest_frame, {}));
    one.newest.id = std::get<wire::EventFrame>(*parsed.frames.front()).event.id;
  }
  hello.session = one.session;
  hello.resume = one.resume;
  hello.received = one.received;
  hello.branch = one.branch;
  hello.newest = wire::Hello::Newest{one.group, one.newest};
}

void StormLoad::on_frame(Swarm::Session& session, std::string_view frame) {
  Known& one = known(session);
  if (on_message(session, frame)) {
    ++one.received;
    return;
  }
  auto parsed = wire::parse_server_frames(frame);
  one.received += parsed.counted;
  for (auto& problem_or_frame : parsed.frames) {
    if (!problem_or_frame)
      give_up("a frame of the server cannot be read: " + problem_or_frame.error().detail);
    const wire::ServerFrame& f = *problem_or_frame;
    if (const auto* welcome = std::get_if<wire::Welcome>(&f)) on_welcome(session, *welcome);
    if (const auto* answer = std::get_if<wire::SyncAnswer>(&f)) on_sync(session, *answer);
    if (const auto* page = std::get_if<wire::PageFrame>(&f)) on_page(session, *page);
    if (const auto* event = std::get_if<wire::EventFrame>(&f)) on_event(session, event->event);
    if (const auto* error = std::get_if<wire::ErrorFrame>(&f)) on_error(session, *error);
    if (std::get_if<wire::Dirty>(&f)) give_up("a session was told dirty");
    const auto* ok = std::get_if<wire::Ok>(&f);
    if (ok && ok->request == create_request) {
      in_group(session.number, ok->conversation, {ok->seq, ok->id});
    } else if (ok) {
      ++ticked_;
    }
  }
}

// Nearly all frames are these: the fields that count are found without reading the others, for the load is on
// the server's cores.
bool StormLoad::on_message(Swarm::Session& session, std::string_view frame) {
  constexpr std::string_view text_key = R"("text":")", seq_key = R"("seq":)";
  if (!frame.starts_with(R"({"type":"event")")) return false;
  const size_t text_at = frame.find(text_key), seq_at = frame.find(seq_key);
  if (text_at == std::string_view::npos || seq_at == std::string_view::npos) return false;
  std::string_view text = frame.substr(text_at + text_key.size());
  text = text.substr(0, text.find('"'));
  model::Seq seq;
  std::from_chars(frame.data() + seq_at + seq_key.size(), frame.data() + frame.size(), seq.value);
  if (take(session, seq, text)) known(session).newest_frame = frame;
  return true;
}

void StormLoad::on_welcome(Swarm::Session& session, const wire::Welcome& welcome) {
  Known& one = known(session);
  one.session = welcome.session;
  one.resume = welcome.resume;
  one.branch = welcome.branch;
  if (welcome.resumed) {
    if (welcome.received != one.received) give_up("the welcome repeats another number");
    session.acks.resumed(one.received);
    return count(resumed);
  }
  one.received = 0;
  if (!returning_) return;
  if (welcome.sync != "changes") give_up("the server wants a full sync");
  count(synced);
  one.catches_up = true;
  sync(session);
}

void StormLoad::on_error(Swarm::Session& session, const wire::ErrorFrame& error) {
  if (error.code != wire::Code::busy)
    give_up("the server refuses: " + std::string(wire::name(error.code)) + " " + error.message);
  if (!error.request) {
    // It closes, and we come again when it said.
    swarm_.cut(session);
    count(came_again);
    swarm_.connect_later(session, port_of(session.number),
                         std::chrono::milliseconds(error.retry_ms.value_or(500)));
    return;
  }
  if (*error.request >= first_send) give_up("a message is refused: busy");
  again_.emplace_back(&session, *error.request);
}

void StormLoad::on_sync(Swarm::Session& session, const wire::SyncAnswer& answer) {
  Known& one = known(session);
  one.activity = answer.activity;
  if (!returning_) return void(++first_synced_);
  for (const auto& row : answer.conversations) {
    if (row.conversation == one.group) pull(session);
  }
}

void StormLoad::on_page(Swarm::Session& session, const wire::PageFrame& page) {
  Known& one = known(session);
  for (const auto& event : page.events) on_event(session, event);
  if (!page.more && one.newest.seq >= one.ahead) {
    one.catches_up = false;
  } else {
    count(pulled_again);
    pull(session);
  }
}

void StormLoad::on_event(Swarm::Session& session, const model::Event& event) {
  if (std::holds_alternative<model::ConversationCreated>(event.body)) {
    if (!is_sender(session.number)) in_group(session.number, event.conversation, {event.seq, event.id});
    return;
  }
  const auto* message = std::get_if<model::MessageCreated>(&event.body);
  if (!message || !take(session, event.seq, message->message.text)) return;
  known(session).newest.id = event.id;
  known(session).newest_frame.clear();
}

bool StormLoad::take(Swarm::Session& session, model::Seq seq, std::string_view said) {
  Known& one = known(session);
  if (seq.value <= one.newest.seq.value) {
    if (!one.catches_up) give_up("a message is repeated");
    count(repeated);
    return false;
  }
  if (seq.value > one.newest.seq.value + 1) {
    // Live, while what is below it is being pulled.
    if (!one.catches_up) give_up("a message is skipped");
    one.ahead = std::max(one.ahead, seq);
    return false;
  }
  if (said != text(session.number / each_, one.got)) give_up("a message is changed or out of order");
  one.newest.seq = seq;
  if (++one.got == all) {
    ++whole_;
    count(whole);
  }
  if (one.away && one.got == before + missed) {
    one.away = false;
    ++back_;
    board_.add_time(seconds_since(begun_) * 1000);
  }
  return true;
}

void StormLoad::in_group(size_t number, const model::ConversationId& group, model::Cursor first) {
  known_[number].group = group;
  known_[number].newest = first;
  ++in_group_;
}

}  // namespace tidings::bench
