// B3 of performance.md: one sender, very many receivers, with 1 and 16 messages in flight until everybody has
// them: durable, acknowledged by everybody, each frame compared byte by byte with what the first receiver
// got, which is parsed and checked. A group has at most 1,024 members, so 10,000 receivers are ten groups
// with a sender each. The server runs on core 0, the load on core 1.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/raw_fan_out.h"
#include "bench/real_server.h"
#include "bench/report.h"
#include "bench/swarm.h"
#include "engine/embedded/system_clock.h"
#include "fold/fold.h"

namespace tidings::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t text_bytes = 100;
constexpr wire::Request create_request = 1, sync_request = 2, first_send = 10;
constexpr double patience_seconds = 60;

struct Options {
  std::vector<size_t> receivers{500, 1000, 10'000};
  double seconds = 8;
  bool json = false;
  std::string binary;
};

class Load {
 public:
  Load(const std::vector<Person>& people, uint16_t port, size_t groups, size_t receivers)
      : groups_(groups), receivers_(receivers) {
    swarm_.on_frame = [this](Swarm::Session& session, std::string_view frame) { on_frame(session, frame); };
    for (const Person& person : people) {
      users_.push_back(person.user);
      swarm_.connect(swarm_.add(person), port);
    }
    next_.resize(people.size());
    until([this] { return in_group_ == users_.size(); }, "not everybody came into the groups");
  }
  void start(size_t window) { window_ = window; }
  void run(double seconds) {
    const auto end = SteadyClock::now() + std::chrono::duration<double>(seconds);
    // Never asleep, nor is the load of the reference: waking it would cost the server more, the faster it is.
    while (SteadyClock::now() < end) turn(0);
  }
  // Everybody gets what is under way.
  void finish() {
    window_ = 0;
    until(
        [this] {
          return std::ranges::all_of(groups_,
                                     [](const Group& g) { return g.sent == g.whole && g.sent == g.ticked; });
        },
        "messages are missing");
  }
  uint64_t deliveries() const { return deliveries_; }
  uint64_t messages() const { return messages_; }
  uint64_t receipts() const { return receipts_; }

 private:
  struct Group {
    model::ConversationId id;
    uint64_t sent = 0, ticked = 0, whole = 0;  // whole: everybody has so many
    model::Seq last_seq;
    std::vector<std::string> frames;  // of its messages
    std::vector<size_t> have;         // how many receivers have each of them
  };

  void turn(int timeout_ms) {
    for (auto& group : groups_) fill(group);
    swarm_.turn(timeout_ms);
  }
  template <class Done>
  void until(Done done, const char* otherwise) {
    const auto end = SteadyClock::now() + std::chrono::duration<double>(patience_seconds);
    while (!done()) {
      if (SteadyClock::now() > end) give_up(otherwise);
      turn(10);
      for (const auto& [session, request] : std::exchange(again_, {})) {
        request == sync_request ? sync(*session) : create(*session);
      }
    }
  }
  size_t group_of(const Swarm::Session& session) const { return session.number / (receivers_ + 1); }
  model::ClientId next_client_id() { return {model::uuid_v7(clock_.wall(), 1, ++client_ids_)}; }

  void on_frame(Swarm::Session& session, std::string_view frame) {
    if (frame.starts_with(R"({"type":"event","event":"message.created")") && on_event(session, frame)) return;
    auto parsed = wire::parse_server_frames(frame);
    for (auto& one : parsed.frames) {
      if (!one) give_up("a frame of the server cannot be read: " + one.error().detail);
      on_parsed(session, *one);
    }
  }
  void on_parsed(Swarm::Session& session, const wire::ServerFrame& frame) {
    Group& group = groups_[group_of(session)];
    if (std::holds_alternative<wire::Welcome>(frame)) {
      sync(session);
    } else if (std::holds_alternative<wire::SyncAnswer>(frame)) {
      if (++synced_ == users_.size()) create();
    } else if (const auto* ok = std::get_if<wire::Ok>(&frame)) {
      if (ok->request == create_request) {
        group.id = ok->conversation;
        ++in_group_;
        return;
      }
      ++group.ticked;
    } else if (const auto* event = std::get_if<wire::EventFrame>(&frame)) {
      if (std::holds_alternative<model::ConversationCreated>(event->event.body)) ++in_group_;
    } else if (std::holds_alternative<wire::Receipt>(frame)) {
      ++receipts_;
    } else if (const auto* error = std::get_if<wire::ErrorFrame>(&frame)) {
      // Everybody comes at once: who is told to come again does, as any client would.
      if (error->code == wire::Code::busy && error->request && *error->request < first_send) {
        again_.emplace_back(&session, *error->request);
        return;
      }
      give_up("the server refuses: " + std::string(wire::name(error->code)) + " " + error->message);
    }
  }
  // Nothing counts as delivered to a session before its first sync.
  void sync(Swarm::Session& session) {
    model::ConversationId last;
    last.bytes.fill(0xFF);
    swarm_.send(session, wire::encode(wire::SyncFrame{sync_request, {}, last, {}, {}}));
  }
  void create() {
    for (size_t g = 0; g < groups_.size(); ++g) create(swarm_.at(g * (receivers_ + 1)));
  }
  void create(Swarm::Session& sender) {
    wire::ConversationCreate frame;
    frame.request = create_request;
    frame.client_id = next_client_id();
    frame.kind = model::ConversationKind::group;
    const auto first = users_.begin() + static_cast<ptrdiff_t>(sender.number);
    frame.members.assign(first, first + static_cast<ptrdiff_t>(receivers_ + 1));
    swarm_.send(sender, wire::encode(frame));
  }
  // False: not of the messages that are sent here.
  bool on_event(Swarm::Session& session, std::string_view frame) {
    Group& group = groups_[group_of(session)];
    if (group.sent == 0) return false;
    size_t& next = next_[session.number];
    if (next == group.frames.size()) note(group, frame);
    if (frame != group.frames[next]) give_up("a message is lost, repeated, changed or out of order");
    ++deliveries_;
    // Whoever has a message has all before it.
    if (++group.have[next++] < receivers_) return true;
    group.whole = next;
    ++messages_;
    return true;
  }
  void note(Group& group, std::string_view frame) {
    const auto parsed = wire::parse_server_frames(frame);
    const auto* event = parsed.frames.size() == 1 && parsed.frames[0]
                            ? std::get_if<wire::EventFrame>(&*parsed.frames[0])
                            : nullptr;
    const auto* message = event ? std::get_if<model::MessageCreated>(&event->event.body) : nullptr;
    if (!message || message->message.text != text(group.frames.size()) ||
        (group.last_seq.value != 0 && event->event.seq.value != group.last_seq.value + 1))
      give_up("a message is lost, repeated, changed or out of order");
    group.last_seq = event->event.seq;
    group.frames.emplace_back(frame);
    group.have.push_back(0);
  }
  void fill(Group& group) {
    const auto g = static_cast<size_t>(&group - groups_.data());
    for (; group.sent < group.whole + window_; ++group.sent) {
      wire::MessageSend frame;
      frame.request = first_send + group.sent;
      frame.conversation = group.id;
      frame.client_id = next_client_id();
      frame.message.text = text(group.sent);
      swarm_.send(swarm_.at(g * (receivers_ + 1)), wire::encode(frame));
    }
  }
  static std::string text(uint64_t number) {
    std::string out = std::to_string(number) + " ";
    out.resize(text_bytes, 'x');
    return out;
  }

  Swarm swarm_;
  embedded::SystemClock clock_;
  std::vector<model::UserId> users_;
  std::vector<Group> groups_;
  const size_t receivers_;    // of a group
  std::vector<size_t> next_;  // by session: which message it must get next
  std::vector<std::pair<Swarm::Session*, wire::Request>> again_;
  size_t window_ = 0, synced_ = 0, in_group_ = 0;
  uint64_t client_ids_ = 0, deliveries_ = 0, messages_ = 0, receipts_ = 0;
};

struct Figures {
  size_t receivers = 0, window = 0;
  double deliveries_per_second = 0, server_us = 0, client_percent = 0, raw_us = 0,
         raw_deliveries_per_second = 0;
  double receipts_per_message = 0;
  double ratio() const { return raw_us / server_us; }
};

Figures run(const Options& options, size_t receivers, size_t window) {
  const size_t groups = (receivers + fold::members_max - 2) / (fold::members_max - 1);
  const size_t each = receivers / groups;
  Figures f;
  f.receivers = receivers;
  f.window = window;
  const auto raw = run_raw_fan_out_closed(groups, each, window, options.seconds / 2);
  f.raw_us = raw.server_us_per_delivery;
  f.raw_deliveries_per_second = raw.deliveries_per_second;
  const Directory directory;
  const auto people = make_people(directory.path(), static_cast<int>(groups * (each + 1)));
  const ServerProcess server(options.binary, directory.path());
  Load load(people, server.port(), groups, each);
  load.start(window);
  load.run(1);
  const auto begun = SteadyClock::now();
  const double server_cpu = server.cpu_seconds(), client_cpu = own_cpu_seconds();
  const uint64_t deliveries = load.deliveries(), messages = load.messages(), receipts = load.receipts();
  load.run(options.seconds);
  const double took = std::chrono::duration<double>(SteadyClock::now() - begun).count();
  const auto delivered = static_cast<double>(load.deliveries() - deliveries);
  f.deliveries_per_second = delivered / took;
  f.server_us = (server.cpu_seconds() - server_cpu) * 1e6 / delivered;
  f.client_percent = (own_cpu_seconds() - client_cpu) / took * 100;
  f.receipts_per_message =
      static_cast<double>(load.receipts() - receipts) / static_cast<double>(load.messages() - messages);
  load.finish();
  return f;
}

Object fields(const Figures& f) {
  Object out;
  out.count("receivers", f.receivers).count("in_flight", f.window);
  out.number("deliveries_per_core_s", 1e6 / f.server_us).number("server_us", f.server_us);
  out.number("reference_us", f.raw_us).number("ratio", f.ratio());
  out.number("deliveries_per_s", f.deliveries_per_second);
  out.number("reference_deliveries_per_s", f.raw_deliveries_per_second);
  out.number("client_cpu_percent", f.client_percent);
  return out.number("receipts_per_message", f.receipts_per_message);
}

std::vector<size_t> numbers(const std::string& list) {
  std::vector<size_t> out;
  for (size_t at = 0; at < list.size();) {
    size_t used = 0;
    out.push_back(std::stoul(list.substr(at), &used));
    at += used + 1;
  }
  return out;
}

int main_program(int argc, char** argv) {
  Options options;
  options.binary = (std::filesystem::canonical(argv[0]).parent_path() / "../tidings").string();
  std::vector<size_t> windows{1, 16};
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] { return i + 1 < argc ? std::string(argv[++i]) : std::string(); };
    if (flag == "--quick") {
      options.seconds = 4;
      options.receivers = {500, 1000};
    } else if (flag == "--json") {
      options.json = true;
    } else if (flag == "--receivers") {
      options.receivers = numbers(value());
    } else if (flag == "--in-flight") {
      windows = numbers(value());
    } else if (flag == "--seconds") {
      options.seconds = std::stod(value());
    } else if (flag == "--binary") {
      options.binary = value();
    } else {
      give_up("unknown flag " + flag +
              " (there are --quick, --json, --receivers N,N, --in-flight N,N, --seconds S, --binary PATH)");
    }
  }
  std::vector<Figures> all;
  if (!options.json) {
    fmt::print("{:>9} {:>9} {:>12} {:>9} {:>9} {:>6} {:>12} {:>9} {:>9}\n", "receivers", "in flight",
               "/core-second", "server us", "raw us", "ratio", "/second", "receipts", "load CPU");
  }
  pin(0, 1);
  for (const size_t receivers : options.receivers) {
    for (const size_t window : windows) {
      const Figures& f = all.emplace_back(run(options, receivers, window));
      if (options.json) continue;
      fmt::print("{:>9} {:>9} {:>12.0f} {:>9.3f} {:>9.3f} {:>6.2f} {:>12.0f} {:>9.2f} {:>8.0f}%\n",
                 f.receivers, f.window, 1e6 / f.server_us, f.server_us, f.raw_us, f.ratio(),
                 f.deliveries_per_second, f.receipts_per_message, f.client_percent);
      std::fflush(stdout);
    }
  }
  const Figures& first = all.front();
  if (!options.json) {
    fmt::print("{}\nfanout: {:.0f} deliveries a core-second to {} receivers, {:.2f} of the raw {:.0f}\n",
               machine(), 1e6 / first.server_us, first.receivers, first.ratio(), 1e6 / first.raw_us);
    return 0;
  }
  Object out = figure("fanout", 1e6 / first.server_us, "deliveries/core-second", 1e6 / first.raw_us);
  std::vector<Object> rows;
  for (const Figures& f : all) rows.push_back(fields(f));
  fmt::print("{}\n", out.list("runs", rows).json());
  return 0;
}

}  // namespace
}  // namespace tidings::bench

int main(int argc, char** argv) {
  return tidings::bench::main_program(argc, argv);
}
