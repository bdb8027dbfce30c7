// B6 of performance.md: everybody's connection is cut at once, 20 messages are missed, everybody returns at
// once: by resume where the server grants it, else by a sync of changes and a pull. Each must get exactly the
// missed messages. Server and load share all cores: what counts is the server's time for a return.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/raw_sessions.h"
#include "bench/real_server.h"
#include "bench/report.h"
#include "bench/sockets.h"
#include "bench/swarm.h"
#include "engine/embedded/system_clock.h"

namespace tidings::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t group_receivers = 1000, missed = 20, missed_frame_bytes = 330;
constexpr wire::Request create_request = 1, sync_request = 2, pull_request = 3, first_send = 10;
constexpr double patience_seconds = 300;

struct Options {
  size_t sessions = 18'000;
  bool json = false;
  std::string binary;
};

double seconds_since(SteadyClock::time_point begun) {
  return std::chrono::duration<double>(SteadyClock::now() - begun).count();
}

struct Figures {
  double seconds = 0, server_us = 0, sessions_per_second = 0, p50_ms = 0, p99_ms = 0;
  double raw_us = 0;
  uint64_t resumed = 0, retries = 0, skipped = 0;
};

class Load {
 public:
  Load(const std::vector<Person>& people, uint16_t port, size_t groups)
      : port_(port), groups_(groups), each_(people.size() / groups) {
    swarm_.connects_at_once = 512;
    swarm_.on_frame = [this](Swarm::Session& s, std::string_view frame) { on_frame(s, frame); };
    swarm_.on_hello = [this](Swarm::Session& s, wire::Hello& hello) { say_hello(s, hello); };
    swarm_.on_lost = [this](Swarm::Session& s) {
      // Who is turned away comes again.
      ++retries_;
      swarm_.connect(s, port_);
    };
    for (const Person& person : people) {
      users_.push_back(person.user);
      swarm_.add(person);
    }
    known_.resize(people.size());
    for (size_t i = 0; i < people.size(); ++i) swarm_.connect(swarm_.at(i), port_);
    until([this] { return swarm_.open_count() == users_.size(); }, "not everybody could connect");
    for (size_t g = 0; g < groups_; ++g) create(swarm_.at(g * each_));
    until([this] { return in_group_ == users_.size(); }, "not everybody came into the groups");
    for (size_t i = 0; i < users_.size(); ++i) sync(swarm_.at(i), std::nullopt);
    until([this] { return synced_ == users_.size(); }, "not everybody could sync");
  }

  // All but the senders, who say something meanwhile.
  void cut_and_miss() {
    for (size_t i = 0; i < users_.size(); ++i) {
      if (!is_sender(i)) swarm_.cut(swarm_.at(i));
    }
    run(2);
    for (size_t n = 0; n < missed; ++n) {
      for (size_t g = 0; g < groups_; ++g) say(g, n);
      until([this, n] { return ticked_ == (n + 1) * groups_; }, "messages are not answered");
    }
    run(1);
  }
  void return_all() {
    begun_ = SteadyClock::now();
    away_ = true;
    for (size_t i = 0; i < users_.size(); ++i) {
      if (!is_sender(i)) swarm_.connect(swarm_.at(i), port_);
    }
    until([this] { return back_ == users_.size() - groups_; }, "not everybody came back");
  }
  size_t returning() const { return users_.size() - groups_; }
  uint64_t resumed() const { return resumed_; }
  uint64_t retries() const { return retries_; }
  std::vector<double> latencies_ms;

 private:
  struct Known {
    std::string session, resume, branch;
    uint64_t received = 0;  // counted frames of the session
    model::ConversationId group;
    model::Cursor newest;
    model::Position activity;
    size_t got = 0;  // of the missed messages
    bool welcomed_back = false;
  };

  bool is_sender(size_t number) const { return number % each_ == 0; }
  template <class Done>
  void until(Done done, const char* otherwise) {
    const auto begun = SteadyClock::now();
    while (!done()) {
      if (seconds_since(begun) > patience_seconds) give_up(otherwise);
      swarm_.turn(10);
      for (const auto& [session, request] : std::exchange(again_, {})) {
        if (session->stage == Swarm::Stage::open) ask_again(*session, request);
      }
    }
  }
  void run(double seconds) {
    const auto begun = SteadyClock::now();
    while (seconds_since(begun) < seconds) swarm_.turn(10);
  }
  model::ClientId next_client_id() { return {model::uuid_v7(clock_.wall(), 1, ++client_ids_)}; }

  void create(Swarm::Session& sender) {
    wire::ConversationCreate frame;
    frame.request = create_request;
    frame.client_id = next_client_id();
    frame.kind = model::ConversationKind::group;
    const auto first = users_.begin() + static_cast<ptrdiff_t>(sender.number);
    frame.members.assign(first, first + static_cast<ptrdiff_t>(each_));
    swarm_.send(sender, wire::encode(frame));
  }
  void say(size_t group, size_t number) {
    wire::MessageSend frame;
    frame.request = first_send + number;
    frame.conversation = known_[group * each_].group;
    frame.client_id = next_client_id();
    frame.message.text = text(group, number);
    swarm_.send(swarm_.at(group * each_), wire::encode(frame));
  }
  static std::string text(size_t group, size_t number) {
    return "what was missed in " + std::to_string(group) + ", number " + std::to_string(number);
  }
  void sync(Swarm::Session& session, std::optional<model::Position> activity) {
    model::ConversationId last;
    last.bytes.fill(0xFF);
    swarm_.send(session, wire::encode(wire::SyncFrame{sync_request, {}, last, {}, activity}));
  }
  void ask_again(Swarm::Session& session, wire::Request request) {
    const Known& known = known_[session.number];
    if (request == create_request) return create(session);
    if (request == pull_request) return pull(session);
    sync(session, away_ ? std::optional(known.activity) : std::nullopt);
  }
  void pull(Swarm::Session& session) {
    const Known& known = known_[session.number];
    wire::PullFrame frame;
    frame.request = pull_request;
    frame.conversation = known.group;
    frame.after = known.newest.seq;
    swarm_.send(session, wire::encode(frame));
  }
  void say_hello(Swarm::Session& session, wire::Hello& hello) {
    const Known& known = known_[session.number];
    if (known.session.empty()) return;
    hello.session = known.session;
    hello.resume = known.resume;
    hello.received = known.received;
    hello.branch = known.branch;
    hello.newest = wire::Hello::Newest{known.group, known.newest};
  }

  void on_frame(Swarm::Session& session, std::string_view frame) {
    Known& known = known_[session.number];
    auto parsed = wire::parse_server_frames(frame);
    known.received += parsed.counted;
    for (auto& one : parsed.frames) {
      if (!one) give_up("a frame of the server cannot be read: " + one.error().detail);
      on_parsed(session, known, *one);
    }
  }
  void on_parsed(Swarm::Session& session, Known& known, const wire::ServerFrame& frame) {
    if (const auto* welcome = std::get_if<wire::Welcome>(&frame)) {
      known.session = welcome->session;
      known.resume = welcome->resume;
      known.branch = welcome->branch;
      if (!welcome->resumed) known.received = 0;
      if (!away_) return;
      if (welcome->resumed) {
        ++resumed_;
      } else {
        if (welcome->sync != "changes") give_up("the server wants a full sync");
        sync(session, known.activity);
      }
    } else if (const auto* answer = std::get_if<wire::SyncAnswer>(&frame)) {
      on_sync(session, known, *answer);
    } else if (const auto* page = std::get_if<wire::PageFrame>(&frame)) {
      for (const auto& event : page->events) on_event(session, known, event);
    } else if (const auto* ok = std::get_if<wire::Ok>(&frame)) {
      if (ok->request == create_request) {
        in_group(session.number, ok->conversation, {ok->seq, ok->id});
      } else {
        ++ticked_;
      }
    } else if (const auto* event = std::get_if<wire::EventFrame>(&frame)) {
      on_event(session, known, event->event);
    } else if (const auto* error = std::get_if<wire::ErrorFrame>(&frame)) {
      if (error->code == wire::Code::busy && !error->request) return;  // it closes; we come again
      if (error->code != wire::Code::busy)
        give_up("the server refuses: " + std::string(wire::name(error->code)) + " " + error->message);
      if (*error->request >= first_send) give_up("a message is refused: busy");
      again_.emplace_back(&session, *error->request);
    }
  }
  void in_group(size_t number, const model::ConversationId& group, model::Cursor first) {
    known_[number].group = group;
    known_[number].newest = first;
    ++in_group_;
  }
  void on_sync(Swarm::Session& session, Known& known, const wire::SyncAnswer& answer) {
    known.activity = answer.activity;
    if (!away_) return void(++synced_);
    for (const auto& row : answer.conversations) {
      if (row.conversation != known.group) continue;
      pull(session);
    }
  }
  void on_event(Swarm::Session& session, Known& known, const model::Event& event) {
    if (std::holds_alternative<model::ConversationCreated>(event.body)) {
      if (!is_sender(session.number)) in_group(session.number, event.conversation, {event.seq, event.id});
      return;
    }
    const auto* message = std::get_if<model::MessageCreated>(&event.body);
    if (!message || !away_) return;
    if (message->message.text != text(session.number / each_, known.got) ||
        event.seq.value != known.newest.seq.value + 1)
      give_up("a message is lost, repeated, changed or out of order");
    known.newest = {event.seq, event.id};
    if (++known.got < missed) return;
    ++back_;
    latencies_ms.push_back(seconds_since(begun_) * 1000);
  }

  Swarm swarm_;
  embedded::SystemClock clock_;
  const uint16_t port_;
  const size_t groups_, each_;
  std::vector<model::UserId> users_;
  std::vector<Known> known_;
  std::vector<std::pair<Swarm::Session*, wire::Request>> again_;
  SteadyClock::time_point begun_;
  bool away_ = false;
  size_t in_group_ = 0, synced_ = 0, ticked_ = 0, back_ = 0;
  uint64_t client_ids_ = 0, resumed_ = 0, retries_ = 0;
};

Figures measure(const Options& options) {
  Figures f;
  f.raw_us = raw_session_us(options.sessions, missed, missed_frame_bytes);
  const size_t groups = (options.sessions + group_receivers - 1) / group_receivers;
  const size_t each = options.sessions / groups + 1;
  const Directory directory;
  const auto people = make_people(directory.path(), static_cast<int>(groups * each));
  const ServerProcess server(options.binary, directory.path(),
                             {.shards = 2, .core = -1, .more = {"--set", "limits.connections=1000000"}});
  Load load(people, server.port(), groups);
  load.cut_and_miss();
  const double cpu = server.cpu_seconds();
  const auto begun = SteadyClock::now();
  load.return_all();
  f.seconds = seconds_since(begun);
  const auto count = static_cast<double>(load.returning());
  f.server_us = (server.cpu_seconds() - cpu) * 1e6 / count;
  f.sessions_per_second = count / f.seconds;
  f.resumed = load.resumed();
  f.retries = load.retries();
  f.p50_ms = percentile(load.latencies_ms, 50);
  f.p99_ms = percentile(load.latencies_ms, 99);
  return f;
}

int main_program(int argc, char** argv) {
  Options options;
  options.binary = (std::filesystem::canonical(argv[0]).parent_path() / "../tidings").string();
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (flag == "--quick") {
      options.sessions = 4000;
    } else if (flag == "--json") {
      options.json = true;
    } else if (flag == "--sessions") {
      options.sessions = std::stoul(value());
    } else if (flag == "--binary") {
      options.binary = value();
    } else {
      give_up("unknown flag " + flag + " (there are --quick, --json, --sessions N, --binary PATH)");
    }
  }
  const Figures f = measure(options);
  if (!options.json) {
    fmt::print("all back after {:.2f} s (half of them after {:.0f} ms); {} resumed, {} came more than once\n",
               f.seconds, f.p50_ms, f.resumed, f.retries);
    fmt::print(
        "{}\nstorm: {:.0f} us of the server for each of {} returns with {} missed messages, none skipped; "
        "{:.1f} "
        "of the raw {:.0f}\n",
        machine(), f.server_us, options.sessions, missed, f.server_us / f.raw_us, f.raw_us);
    return 0;
  }
  Object out = figure("storm", f.server_us, "server us/return", f.raw_us);
  out.count("sessions", options.sessions).number("seconds", f.seconds);
  out.number("returns_per_s", f.sessions_per_second).number("p50_ms", f.p50_ms).number("p99_ms", f.p99_ms);
  out.count("resumed", f.resumed).count("came_again", f.retries).count("skipped", f.skipped);
  fmt::print("{}\n", out.json());
  return 0;
}

}  // namespace
}  // namespace tidings::bench

int main(int argc, char** argv) {
  return tidings::bench::main_program(argc, argv);
}
